import { expect, test } from "vitest";
import { geometricMean, median, relativeSpread } from "../../../examples/benchmark/statistics.js";

test("the median is the middle value, whatever the order, and leaves the list as it was", () => {
  const values = [9, 1, 5];
  expect(median(values)).toBe(5);
  expect(values).toEqual([9, 1, 5]);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test("one slow sample moves the spread and not the median", () => {
  expect(median([10, 10, 10, 10, 30])).toBe(10);
  expect(relativeSpread([10, 10, 10, 10, 30])).toBe(1);
  expect(relativeSpread([7, 7, 7])).toBe(0);
});

test("the geometric mean of a ratio and its inverse is 1", () => {
  expect(geometricMean([4, 1 / 4])).toBeCloseTo(1, 12);
  expect(geometricMean([1, 10, 100])).toBeCloseTo(10, 12);
});

test("the geometric mean leaves out what was not measured", () => {
  expect(geometricMean([NaN, 8, 2, Infinity, 0])).toBeCloseTo(4, 12);
  expect(geometricMean([NaN])).toBeNaN();
});
