/** Forward pass in float64: `y[n, o, p] = activation(residual[n, o, p] + bias[o] + sum over c, k of w[o, c, k] * x[n, c, p * S + k * D - P])`. */
import type { TensorStrides } from "../problem/layout.js";
import type { ConvProblem } from "../problem/problem.js";
import { applyActivation } from "./activations.js";
import { requireOperands } from "./checks.js";
import type { ForwardExtras } from "./passes.js";
import { plainView } from "./plain.js";
import { forEachRow } from "./rows.js";

/**
 * @param x values shaped as `problem.inputShape`
 * @param w values shaped as `problem.weightShape`
 * @returns values shaped as `problem.outputShape`
 */
export function forward(
  problem: ConvProblem,
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  extras: ForwardExtras = {},
): Float64Array {
  requireOperands(problem, "forward", { x, w }, extras);
  const view = plainView(problem);
  const { outputPositions, outChannels } = problem;
  const input = view.xIn(x);
  const weight = view.wIn(w);
  const output = new Float64Array(problem.batch * outChannels * outputPositions);
  fillWithBias(output, extras.bias, outChannels, outputPositions);
  forEachRow(problem, (yStart, xStart, xStep, wIndex, count) => {
    const factor = weight[wIndex];
    for (let i = 0; i < count; i++) output[yStart + i] += factor * input[xStart + i * xStep];
  });
  return finish(view.yOut(output), extras, outChannels, problem.outputStrides);
}

/** Starts the sums of a channels-first result with its bias. */
export function fillWithBias(
  result: Float64Array,
  bias: ArrayLike<number> | undefined,
  channels: number,
  positions: number,
): void {
  if (bias === undefined) return;
  for (let plane = 0; plane * positions < result.length; plane++) {
    result.fill(bias[plane % channels], plane * positions, (plane + 1) * positions);
  }
}

/** Adds the residual and applies the activation. */
export function finish(
  sums: Float64Array,
  { residual, activation }: ForwardExtras,
  channels: number,
  [, channelStride]: TensorStrides,
): Float64Array {
  const all = residual ? sums.map((sum, i) => sum + residual[i]) : sums;
  return activation === undefined ? all : applyActivation(all, activation, { count: channels, stride: channelStride });
}
