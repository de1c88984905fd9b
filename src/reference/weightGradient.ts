/** Weight and bias gradients in float64: each product of the forward pass hands `x * dy` back to its w. */
import type { ConvProblem } from "../problem.js";
import { visitRows } from "./rows.js";

/**
 * @param dy values shaped as `problem.outputShape`
 * @param x values shaped as `problem.inputShape`
 * @returns dw, shaped as `problem.weightShape`
 */
export function weightGradient(problem: ConvProblem, dy: ArrayLike<number>, x: ArrayLike<number>): Float64Array {
  const outputGradient = Float64Array.from(dy);
  const input = Float64Array.from(x);
  const result = new Float64Array(problem.outChannels * problem.inChannelsPerGroup * problem.taps);
  visitRows(problem, (yStart, xStart, xStep, wIndex, count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += outputGradient[yStart + i] * input[xStart + i * xStep];
    result[wIndex] += sum;
  });
  return result;
}

/**
 * @param dy values shaped as `problem.outputShape`
 * @returns db, one value an output channel: the sum of dy over batch and positions
 */
export function biasGradient(problem: ConvProblem, dy: ArrayLike<number>): Float64Array {
  const { batch, outChannels, outputPositions } = problem;
  const result = new Float64Array(outChannels);
  for (let plane = 0; plane < batch * outChannels; plane++) {
    let sum = 0;
    for (let i = 0; i < outputPositions; i++) sum += dy[plane * outputPositions + i];
    result[plane % outChannels] += sum;
  }
  return result;
}

/** dy before the activation: dy where the forward output is positive, 0 elsewhere (relu). */
export function maskByOutput(dy: ArrayLike<number>, output: ArrayLike<number>): Float64Array {
  return Float64Array.from(dy, (value, i) => (output[i] > 0 ? value : 0));
}
