/** The ways of running an operation that are worth measuring on a device. */
import type { Capabilities } from "../planning/capabilities.js";
import type { ConvOperation } from "../problem/operation.js";
import { select, solversFor } from "../solvers/select.js";
import { isRefusal, type ListedSolver } from "../planning/solver.js";
import { planFor } from "../solvers/passes/conversions.js";
import { type Candidate, isSame, isTooSlow } from "./ownCandidate.js";

/** Candidates of an operation, at most. */
export const MOST_CANDIDATES = 16;

/** What the model chooses: the candidate to beat. */
export function modelChoice(operation: ConvOperation, capabilities: Capabilities): Candidate {
  const { solver, config } = select(operation, capabilities).plan;
  return { name: solver, config };
}

/** The solver that takes every problem of a direction: what the others are checked against. */
export function generalSolver(operation: ConvOperation): ListedSolver {
  const solvers = solversFor(operation);
  return solvers[solvers.length - 1];
}

/**
 * The model's choice, and what it deems next best: every tuning candidate of the solvers that it would consider, then
 * the first one of those that it discourages. The general solver, which uses nothing twice, is left out.
 */
export function candidatesFor(operation: ConvOperation, capabilities: Capabilities): readonly Candidate[] {
  const general = generalSolver(operation);
  const encouraged: Candidate[] = [modelChoice(operation, capabilities)];
  const discouraged: Candidate[] = [];
  for (const solver of solversFor(operation)) {
    if (solver === general || isTooSlow(solver, capabilities)) continue;
    const able = solver
      .configs(operation, capabilities)
      .filter((config) => !isRefusal(planFor(solver, operation, capabilities, config)))
      .map((config) => ({ name: solver.name, config }));
    if (solver.discouraged?.(operation, capabilities) === undefined) encouraged.push(...able);
    else discouraged.push(...able.slice(0, 1));
  }
  const all = [...encouraged, ...discouraged];
  return all.filter((one, i) => all.findIndex((other) => isSame(one, other)) === i).slice(0, MOST_CANDIDATES);
}
