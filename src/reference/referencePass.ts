/** Passes by their names. */
import type { ConvProblem } from "../problem/problem.js";
import { requireOperands } from "./checks.js";
import { forward } from "./forward.js";
import { inputGradient } from "./inputGradient.js";
import type { ForwardExtras, PassDirection, PassOperands } from "./passes.js";
import { unsharedForward, unsharedInputGradient, unsharedWeightGradient } from "./unshared.js";
import { biasGradient, weightGradient } from "./weightGradient.js";

const NONE: readonly number[] = [];

/** Runs a pass of the reference by its name. `dy` must be taken before the activation; none is applied to the result. */
export function referencePass(problem: ConvProblem, direction: PassDirection, operands: PassOperands): Float64Array {
  requireOperands(problem, direction, operands);
  const { bias, residual } = operands;
  return runPass(problem, direction, operands, { bias, residual });
}

/** Runs a pass with shared or unshared filters, as the problem says. The pass checks its operands. */
export function runPass(
  problem: ConvProblem,
  direction: PassDirection,
  { x = NONE, w = NONE, dy = NONE }: PassOperands,
  extras: ForwardExtras,
): Float64Array {
  const isUnshared = problem.weightPositionStride > 0;
  switch (direction) {
    case "forward":
      return isUnshared ? unsharedForward(problem, x, w, extras) : forward(problem, x, w, extras);
    case "inputGradient":
      return isUnshared ? unsharedInputGradient(problem, dy, w) : inputGradient(problem, dy, w, extras);
    case "weightGradient":
      return isUnshared ? unsharedWeightGradient(problem, dy, x) : weightGradient(problem, dy, x);
    case "biasGradient":
      return biasGradient(problem, dy);
  }
}
