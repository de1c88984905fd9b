/** Input gradient in float64: each product of the forward pass hands `w * dy` back to its x. */
import type { ConvProblem } from "../problem.js";
import { visitRows } from "./rows.js";

/**
 * @param dy values shaped as `problem.outputShape`
 * @param w values shaped as `problem.weightShape`
 * @returns dx, shaped as `problem.inputShape`
 */
export function inputGradient(problem: ConvProblem, dy: ArrayLike<number>, w: ArrayLike<number>): Float64Array {
  const outputGradient = Float64Array.from(dy);
  const weight = Float64Array.from(w);
  const result = new Float64Array(problem.batch * problem.inChannels * problem.inputPositions);
  visitRows(problem, (yStart, xStart, xStep, wIndex, count) => {
    const factor = weight[wIndex];
    for (let i = 0; i < count; i++) result[xStart + i * xStep] += factor * outputGradient[yStart + i];
  });
  return result;
}
