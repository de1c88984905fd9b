/** Weight and bias gradients in float64: each product of the forward pass hands `x * dy` back to its w. */
import type { ConvProblem } from "../problem/problem.js";
import { requireOperands } from "./checks.js";
import { plainView } from "./plain.js";
import { forEachRow } from "./rows.js";

/**
 * @param dy values shaped as `problem.outputShape`
 * @param x values shaped as `problem.inputShape`
 * @returns dw, shaped as `problem.weightShape`
 */
export function weightGradient(problem: ConvProblem, dy: ArrayLike<number>, x: ArrayLike<number>): Float64Array {
  requireOperands(problem, "weightGradient", { dy, x });
  const view = plainView(problem);
  const outputGradient = view.yIn(dy);
  const input = view.xIn(x);
  const result = new Float64Array(problem.outChannels * problem.inChannelsPerGroup * problem.taps);
  forEachRow(problem, (yStart, xStart, xStep, wIndex, count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += outputGradient[yStart + i] * input[xStart + i * xStep];
    result[wIndex] += sum;
  });
  return view.wOut(result);
}

/**
 * @param dy values shaped as `problem.outputShape`
 * @returns db, one value an output channel: the sum of dy over batch and positions
 */
export function biasGradient(problem: ConvProblem, dy: ArrayLike<number>): Float64Array {
  requireOperands(problem, "biasGradient", { dy });
  const { batch, outChannels, outputPositions, outputStrides } = problem;
  const [batchStride, channelStride, positionStride] = outputStrides;
  const result = new Float64Array(outChannels);
  for (let n = 0; n < batch; n++) {
    for (let channel = 0; channel < outChannels; channel++) {
      const start = n * batchStride + channel * channelStride;
      for (let i = 0; i < outputPositions; i++) result[channel] += dy[start + i * positionStride];
    }
  }
  return result;
}
