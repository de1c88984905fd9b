/** The CPU reference in a worker: its passes timed, and the device's results compared with its own. */
import { compare, errorBound, makeProblem, referencePass, winogradErrorBound } from "webgpu-conv/reference";
import { randomValues } from "../../benchmark/random.js";
import { type Checked, type CheckJob, type LayerShapes, type Request, sizeOf, type TimeJob } from "./jobs.js";

function problemOf({ input, weight, options }: LayerShapes) {
  return makeProblem(2, input, weight, options);
}

function time({ layers, passes, repeats }: TimeJob): number {
  let milliseconds = 0;
  for (const layer of layers) {
    const problem = problemOf(layer);
    const [x, w, dy] = [layer.input, layer.weight, problem.outputShape].map((shape, i) =>
      randomValues(sizeOf(shape), i),
    );
    const start = performance.now();
    for (let i = 0; i < repeats; i++) for (const pass of passes) referencePass(problem, pass, { x, w, dy });
    milliseconds += performance.now() - start;
  }
  return milliseconds;
}

function check({ pass, layer, x, w, dy, actual, tile }: CheckJob): Checked {
  const problem = problemOf(layer);
  const operands = { x, w, dy };
  const expected = referencePass(problem, pass, operands);
  const bounds = tile ? winogradErrorBound(problem, pass, operands, tile) : errorBound(problem, pass, operands);
  const { pass: within, maxError, bound } = compare(actual, expected, bounds);
  return { pass: within, maxError, bound };
}

globalThis.onmessage = ({ data }: MessageEvent<Request>): void => {
  globalThis.postMessage(data.kind === "time" ? time(data.job) : check(data.job));
};
