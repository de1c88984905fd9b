/** A worker that runs a pass on the CPU reference, times it, and compares the device's result with it. */
import { compare, errorBound, makeProblem, referencePass, winogradErrorBound } from "webgpu-conv/reference";
import type { Checked, Job } from "./job.js";

function check({ pass, layer, x, w, dy, actual, tile }: Job): Checked {
  const problem = makeProblem(2, layer.input, layer.weight, layer.options);
  const operands = { x, w, dy };
  const start = performance.now();
  const expected = referencePass(problem, pass, operands);
  const milliseconds = performance.now() - start;
  const bounds = tile ? winogradErrorBound(problem, pass, operands, tile) : errorBound(problem, pass, operands);
  const { pass: within, maxError, bound } = compare(actual, expected, bounds);
  return { milliseconds, pass: within, maxError, bound };
}

globalThis.onmessage = ({ data }: MessageEvent<Job>): void => {
  globalThis.postMessage(check(data));
};
