/** Candidates: the solvers and configurations that are worth measuring for an operation on a device. */
import type { Capabilities } from "../planning/capabilities.js";
import type { ConvOperation } from "../problem/operation.js";
import { select, solversFor } from "../solvers/select.js";
import { isRefusal, type ListedSolver } from "../planning/solver.js";
import { planFor } from "../solvers/passes/conversions.js";
import { type Candidate, isSame, isTooSlow } from "./ownCandidate.js";

/** The most candidates of an operation. */
export const MOST_CANDIDATES = 16;

/** What the model chooses: the candidate to beat. */
export function modelChoice(operation: ConvOperation, capabilities: Capabilities): Candidate {
  const { solver, config } = select(operation, capabilities).plan;
  return { name: solver, config };
}

/** The solver that takes every problem of a direction. The others are checked against it. */
export function generalSolver(operation: ConvOperation): ListedSolver {
  const solvers = solversFor(operation);
  return solvers[solvers.length - 1];
}

/**
 * The model's choice first, then every tuning candidate of the solvers that the model would consider, then the first candidate
 * of each solver that it discourages. The general solver is left out: it reuses no operand.
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
