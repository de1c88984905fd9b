/** Where something was made, from stacks as engines write them. */
import { expect, test } from "vitest";
import { placeOf, stackHere } from "../../src/base/stack.js";

const PACKAGE = "https://a.page/node_modules/webgpu-conv/dist";

test.each([
  [
    "Chromium and Node",
    `Error\n    at stackHere (${PACKAGE}/index.js:1:2)\n    at conv2d (${PACKAGE}/chunks/a.js:3:4)\n    at train (https://a.page/train.js:5:6)`,
    "at train (https://a.page/train.js:5:6)",
  ],
  [
    "Firefox and Safari",
    `stackHere@${PACKAGE}/index.js:1:2\nconv2d@${PACKAGE}/chunks/a.js:3:4\ntrain@https://a.page/train.js:5:6\n`,
    "at train (https://a.page/train.js:5:6)",
  ],
  [
    "Firefox, in a function without a name",
    `stackHere@${PACKAGE}/index.js:1:2\n@https://a.page/@scope/train.js:5:6\n`,
    "at https://a.page/@scope/train.js:5:6",
  ],
  ["none that tells", "Error: out of it", "at a place that the runtime does not tell"],
])("%s: the caller's frame, in one form", (_, stack, place) => {
  expect(placeOf(stack)).toBe(place);
});

test("this platform's own", () => {
  expect(placeOf(stackHere())).toMatch(/^at .*stack\.test\.ts/);
});
