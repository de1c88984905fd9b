/** The solvers that a caller names for the two kernels of `conv2dBackward`. */
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import { readSolver, type SolverChoice } from "../planning/choice.js";
import type { BackwardOptions, BackwardSolvers } from "./options.js";

const BACKWARD_SOLVER_KEYS = optionKeys<BackwardSolvers>({ input: 1, weight: 1 });

/** The solvers of the two kernels of `conv2dBackward`. */
export function readBackwardSolvers(solver: BackwardOptions["solver"]): BackwardSolvers {
  if (isForBoth(solver)) {
    const both = readSolver(solver);
    return { input: both, weight: both };
  }
  requireOptions(solver, BACKWARD_SOLVER_KEYS, "solver");
  return { input: readSolver(solver.input, "solver.input"), weight: readSolver(solver.weight, "solver.weight") };
}

function isForBoth(solver: BackwardOptions["solver"]): solver is SolverChoice | undefined {
  const given: unknown = solver;
  if (typeof given !== "object" || given === null) return true;
  return "name" in given || "config" in given;
}
