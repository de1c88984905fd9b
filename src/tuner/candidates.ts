/** Candidates: the solvers and configurations that are worth measuring for an operation on a device. */
import type { Capabilities } from "../planning/capabilities.js";
import type { ConvOperation } from "../problem/operation.js";
import { select, solversFor } from "../solvers/select.js";
import { isRefusal, type ListedSolver, type SolverConfig, type SolverPlan } from "../planning/solver.js";
import { planFor } from "../solvers/passes/conversions.js";
import { type Candidate, isTooSlow } from "./ownCandidate.js";

/** The most candidates of an operation. */
export const MOST_CANDIDATES = 16;
/**
 * Where clocks are predicted, a candidate is left out that is predicted to take so many times the least: it would leave the race
 * (race.ts) if the prediction were right, and what predictions leave out is much the same in all kernels that have one.
 */
const HOPELESS = 1.5;

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

/** A candidate with what planning says of it. */
interface Planned extends Candidate {
  /** Equal for candidates that run the same. */
  readonly run: string;
  readonly clocks: number | undefined;
}

/**
 * What a plan runs: equal for plans that compile to the same code and give it the same arguments. Knobs may differ, where a
 * solver has no use for a larger one.
 */
export function runOf({ dispatches }: SolverPlan): string {
  const inOrder = (_: string, value: unknown): unknown =>
    Object.prototype.toString.call(value) === "[object Object]"
      ? Object.entries(value as object).sort(([one], [other]) => (one < other ? -1 : 1))
      : value;
  const parts = dispatches.map(({ kernel, constants, types, uniforms, bindings, workgroups }) => {
    return [kernel.name, constants, types, uniforms, bindings, workgroups];
  });
  return JSON.stringify(parts, inOrder);
}

function planned(
  solver: ListedSolver,
  operation: ConvOperation,
  capabilities: Capabilities,
  config: SolverConfig,
): readonly Planned[] {
  const plan = planFor(solver, operation, capabilities, config);
  if (isRefusal(plan)) return [];
  const clocks = solver.predictClocks?.(operation, capabilities, config);
  return [{ name: solver.name, config, run: runOf(plan), clocks }];
}

const leastClocks = (candidates: readonly Planned[]): number =>
  Math.min(...candidates.map(({ clocks = Infinity }) => clocks));

/**
 * The model's choice first, then the tuning candidates of the solvers that the model would consider, then the first candidate of
 * each solver that it discourages. A solver of which no candidate is predicted to beat those of an earlier one gives its first
 * alone. Of those that run the same the first stays, and none that is predicted to be hopeless. The general solver is left out:
 * it reuses no operand.
 */
export function candidatesFor(
  operation: ConvOperation,
  capabilities: Capabilities,
  model = modelChoice(operation, capabilities),
): readonly Candidate[] {
  const solvers = solversFor(operation);
  const chosen = solvers.filter(({ name }) => name === model.name);
  const encouraged = chosen.flatMap((solver) => planned(solver, operation, capabilities, model.config));
  const discouraged: Planned[] = [];
  let least = Infinity;
  for (const solver of solvers.slice(0, -1)) {
    if (isTooSlow(solver, capabilities)) continue;
    const able = solver
      .configs(operation, capabilities)
      .flatMap((own) => planned(solver, operation, capabilities, own));
    if (solver.discouraged?.(operation, capabilities) !== undefined) {
      discouraged.push(...able.slice(0, 1));
      continue;
    }
    const own = leastClocks(able);
    encouraged.push(...(least <= own && own < Infinity ? able.slice(0, 1) : able));
    least = Math.min(least, own);
  }
  const all = [...encouraged, ...discouraged];
  const most = HOPELESS * leastClocks(all);
  return all
    .filter((one, i) => all.findIndex(({ run }) => run === one.run) === i)
    .filter(({ clocks = 0 }, i) => i === 0 || clocks <= most)
    .slice(0, MOST_CANDIDATES)
    .map(({ name, config }) => ({ name, config }));
}
