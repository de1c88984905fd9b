/** Input gradient in float64: each product of the forward pass hands `w * dy` back to its x. */
import type { ConvProblem } from "../problem/problem.js";
import { requireOperands } from "./checks.js";
import { fillWithBias, finish } from "./forward.js";
import type { ForwardExtras } from "./passes.js";
import { plainView } from "./plain.js";
import { forEachRow } from "./rows.js";

/**
 * @param dy values shaped as `problem.outputShape`
 * @param w values shaped as `problem.weightShape`
 * @param extras what a transposed convolution, which is this pass, adds and applies at its end
 * @returns dx, shaped as `problem.inputShape`
 */
export function inputGradient(
  problem: ConvProblem,
  dy: ArrayLike<number>,
  w: ArrayLike<number>,
  extras: ForwardExtras = {},
): Float64Array {
  requireOperands(problem, "inputGradient", { dy, w }, extras);
  const view = plainView(problem);
  const outputGradient = view.yIn(dy);
  const weight = view.wIn(w);
  const result = new Float64Array(problem.batch * problem.inChannels * problem.inputPositions);
  fillWithBias(result, extras.bias, problem.inChannels, problem.inputPositions);
  forEachRow(problem, (yStart, xStart, xStep, wIndex, count) => {
    const factor = weight[wIndex];
    for (let i = 0; i < count; i++) result[xStart + i * xStep] += factor * outputGradient[yStart + i];
  });
  return finish(view.xOut(result), extras, problem.inChannels, problem.inputStrides);
}
