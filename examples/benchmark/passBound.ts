/** How far a pass may be from the reference, by the solver that computes it. */
import type { SolverChoice } from "webgpu-conv";
import { type ConvProblem, errorBound, type PassOperands, winogradErrorBound } from "webgpu-conv/reference";
import type { Pass } from "./passes.js";

/** For each element. Winograd's transforms round, too: more than a direct sum of few terms does. */
export function passBound(
  problem: ConvProblem,
  pass: Pass,
  operands: PassOperands,
  solver: SolverChoice,
): Float64Array {
  if (typeof solver === "string" || solver.name !== "winograd") return errorBound(problem, pass, operands);
  return winogradErrorBound(problem, pass, operands, solver.config?.tile === 2 ? 2 : 4);
}
