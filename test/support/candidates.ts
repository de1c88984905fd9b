/** Solvers with tuning constants that can do an operation. */
import type { Capabilities } from "../../src/planning/capabilities.js";
import type { ConvOperation } from "../../src/problem/operation.js";
import { solversFor } from "../../src/solvers/select.js";
import { isRefusal, type ListedSolver, type SolverConfig } from "../../src/planning/solver.js";

export interface Candidate {
  readonly solver: ListedSolver;
  readonly config: SolverConfig;
}

/** Whether small integers must come out exact. */
export const isExact = ({ solver, config }: Candidate, operation: ConvOperation): boolean =>
  solver.isExact(config, operation);

/** Every solver with every candidate, in their order. */
export function candidatesOf(operation: ConvOperation, capabilities: Capabilities): Candidate[] {
  return solversFor(operation).flatMap((solver) =>
    solver
      .configs(operation, capabilities)
      .filter((config) => !isRefusal(solver.plan(operation, capabilities, config)))
      .map((config) => ({ solver, config })),
  );
}

/** Every solver that is able, with the first of its candidates that `wanted` lets through. */
export function defaultsOf(
  operation: ConvOperation,
  capabilities: Capabilities,
  wanted: (candidate: Candidate, operation: ConvOperation) => boolean = () => true,
): Candidate[] {
  const bySolver = new Map<ListedSolver, Candidate>();
  for (const candidate of candidatesOf(operation, capabilities)) {
    if (wanted(candidate, operation) && !bySolver.has(candidate.solver)) bySolver.set(candidate.solver, candidate);
  }
  return [...bySolver.values()];
}
