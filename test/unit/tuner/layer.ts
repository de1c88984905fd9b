/** A layer of 64 filters of 3x3, as tests of tuning take it. */
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../../src/calls/calls.js";

export const layer = (channels: number, size: number, options = {}) =>
  plainOperation("forward", makeProblem(2, [1, channels, size, size], [64, channels, 3, 3], options), {
    dtype: "float32",
  });
