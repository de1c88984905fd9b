/** Forward pass in float64: `y[n, o, p] = activation(bias[o] + sum over c, k of w[o, c, k] * x[n, c, p * S + k * D - P])`. */
import type { Activation } from "../options.js";
import type { ConvProblem } from "../problem.js";
import { visitRows } from "./rows.js";

/**
 * @param x values shaped as `problem.inputShape`
 * @param w values shaped as `problem.weightShape`
 * @param bias `outChannels` values
 * @returns values shaped as `problem.outputShape`
 */
export function forward(
  problem: ConvProblem,
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  extras: { readonly bias?: ArrayLike<number> | undefined; readonly activation?: Activation } = {},
): Float64Array {
  const { batch, outChannels, outputPositions } = problem;
  const input = Float64Array.from(x);
  const weight = Float64Array.from(w);
  const output = new Float64Array(batch * outChannels * outputPositions);
  const { bias, activation = "none" } = extras;
  if (bias !== undefined) {
    for (let plane = 0; plane < batch * outChannels; plane++) {
      output.fill(bias[plane % outChannels], plane * outputPositions, (plane + 1) * outputPositions);
    }
  }
  visitRows(problem, (yStart, xStart, xStep, wIndex, count) => {
    const factor = weight[wIndex];
    for (let i = 0; i < count; i++) output[yStart + i] += factor * input[xStart + i * xStep];
  });
  return activation === "relu" ? output.map((value) => Math.max(value, 0)) : output;
}
