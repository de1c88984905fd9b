/** The distance in ULPs that the conformance tests count in float16. */
import { expect, test } from "vitest";
import { largestUlpDistance, ulpDistance } from "../support/ulp.js";

test.each([
  [1, 1, 0],
  [1, 1 + 2 ** -10, 1],
  [1, 1 - 2 ** -11, 1],
  [0, -0, 0],
  [0, 2 ** -24, 1],
  [-(2 ** -24), 2 ** -24, 2],
  [-1, -2, 2 ** 10],
  [2 ** -14, 2 ** -14 - 2 ** -24, 1],
  [65_504, Infinity, 1],
  // Decimals stand for the float16 nearest to them.
  [0.1, 0.0999755859375, 0],
  [0.1, 0.1001, 2],
  [NaN, 1, Infinity],
])("float16: from %d to %d is %d", (a, b, distance) => {
  expect(ulpDistance(a, b, "float16")).toBe(distance);
  expect(ulpDistance(b, a, "float16")).toBe(distance);
});

test("float16: of lists is the largest", () => {
  expect(largestUlpDistance([1, 1 + 2 ** -9, 3], [1, 1, 3], "float16")).toBe(2);
});
