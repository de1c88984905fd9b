/** The passes of a locally connected layer: those of a convolution, with the filter of each output position. */
import { requireOperands } from "./checks.js";
import { fillWithBias, finish } from "./forward.js";
import type { ForwardExtras } from "./passes.js";
import type { ConvProblem } from "../problem/problem.js";
import { plainView } from "./plain.js";
import { forEachRow, type RowCallback } from "./rows.js";

/** Calls `use` with every product, of `y[yIndex]`, `x[xIndex]` and `w[wIndex]`. */
function forEachProduct(problem: ConvProblem, use: (yIndex: number, xIndex: number, wIndex: number) => void): void {
  const useRow: RowCallback = (yStart, xStart, xStep, wIndex, count) => {
    for (let i = 0; i < count; i++) {
      const position = (yStart + i) % problem.outputPositions;
      use(yStart + i, xStart + i * xStep, position * problem.weightPositionStride + wIndex);
    }
  };
  forEachRow(problem, useRow);
}

/** @param w values shaped as `problem.weightShape`, `[...output, out, in / groups, ...kernel]` */
export function unsharedForward(
  problem: ConvProblem,
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  extras: ForwardExtras = {},
): Float64Array {
  requireOperands(problem, "forward", { x, w }, extras);
  const view = plainView(problem);
  const input = view.xIn(x);
  const output = new Float64Array(problem.batch * problem.outChannels * problem.outputPositions);
  fillWithBias(output, extras.bias, problem.outChannels, problem.outputPositions);
  forEachProduct(problem, (yIndex, xIndex, wIndex) => (output[yIndex] += w[wIndex] * input[xIndex]));
  return finish(view.yOut(output), extras, problem.outChannels, problem.outputStrides);
}

export function unsharedInputGradient(problem: ConvProblem, dy: ArrayLike<number>, w: ArrayLike<number>): Float64Array {
  requireOperands(problem, "inputGradient", { dy, w });
  const view = plainView(problem);
  const outputGradient = view.yIn(dy);
  const result = new Float64Array(problem.batch * problem.inChannels * problem.inputPositions);
  forEachProduct(problem, (yIndex, xIndex, wIndex) => (result[xIndex] += w[wIndex] * outputGradient[yIndex]));
  return view.xOut(result);
}

export function unsharedWeightGradient(
  problem: ConvProblem,
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
): Float64Array {
  requireOperands(problem, "weightGradient", { dy, x });
  const view = plainView(problem);
  const outputGradient = view.yIn(dy);
  const input = view.xIn(x);
  const result = new Float64Array(problem.outputPositions * problem.weightPositionStride);
  forEachProduct(problem, (yIndex, xIndex, wIndex) => (result[wIndex] += outputGradient[yIndex] * input[xIndex]));
  return result;
}
