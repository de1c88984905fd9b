/** Chooses among solvers for an operation, and keeps account of why the others were not chosen. */
import { reachRefusal } from "../problem/bounded.js";
import { DeviceError, LimitError, show, SolverError } from "../base/errors.js";
import type { Capabilities } from "../planning/capabilities.js";
import { type ConvOperation, sumsProducts } from "../problem/operation.js";
import { isReplaceable, type SolverChoice } from "../planning/choice.js";
import { requireOptions } from "../base/optionKeys.js";
import {
  type FaultyPlans,
  isRefusal,
  type ListedSolver,
  type PassedOver,
  type SolverConfig,
  type SolverPlan,
} from "../planning/solver.js";
import { planFor } from "./passes/conversions.js";

export interface Selection {
  readonly plan: SolverPlan;
  /** Solvers not chosen, in the order in which they were considered. */
  readonly passedOver: readonly PassedOver[];
}

/** Chooses as a call does. */
export type Select = (
  operation: ConvOperation,
  capabilities: Capabilities,
  choice?: SolverChoice,
  faulty?: FaultyPlans,
) => Selection;

/**
 * The first solver that plans the operation and is not discouraged for it. The last one of each
 * direction refuses nothing but what is beyond the device's limits.
 *
 * @param solvers those for the operation's direction
 * @param faulty plans that are passed over, if any
 * @throws SolverError when the solver that `choice` names does not exist or refuses, or its kernels do not work; LimitError where
 *   no solver can; DeviceError where none that can works.
 */
export function choose(
  solvers: readonly ListedSolver[],
  operation: ConvOperation,
  capabilities: Capabilities,
  choice?: SolverChoice,
  faulty?: FaultyPlans,
): Selection {
  const unreachable = sumsProducts(operation) ? reachRefusal(operation.problem) : undefined;
  if (unreachable !== undefined) throw new LimitError(unreachable);
  if (choice !== undefined) {
    const named = selectNamed(operation, capabilities, solvers, choice);
    const refused = faulty?.refusal(named.plan);
    if (refused === undefined) return named;
    if (!isReplaceable(choice)) throw new SolverError(`solver ${named.plan.solver} refuses: ${refused}`);
  }
  const passedOver: PassedOver[] = [];
  /** Solvers that could, but should not. */
  const slow: ListedSolver[] = [];
  let isFaulty = false;
  for (const [index, solver] of solvers.entries()) {
    const discouraged = solver.discouraged?.(operation, capabilities);
    if (discouraged !== undefined) {
      passedOver.push({ solver: solver.name, reason: discouraged });
      slow.push(solver);
      continue;
    }
    const outcome = planDefault(solver, operation, capabilities);
    const refused = isRefusal(outcome) ? outcome.refused : faulty?.refusal(outcome);
    if (!isRefusal(outcome) && refused === undefined) {
      const later = solvers
        .slice(index + 1)
        .map(({ name }) => ({ solver: name, reason: `${solver.name} comes first` }));
      return { plan: outcome, passedOver: [...passedOver, ...later] };
    }
    isFaulty ||= !isRefusal(outcome);
    passedOver.push({ solver: solver.name, reason: refused ?? "" });
  }
  // Where those that should run do not work, slow ones do.
  for (const solver of isFaulty ? slow : []) {
    const plan = planDefault(solver, operation, capabilities);
    if (isRefusal(plan) || faulty?.refusal(plan) !== undefined) continue;
    return { plan, passedOver: passedOver.filter((other) => other.solver !== solver.name) };
  }
  const reasons = passedOver.map(({ solver, reason }) => `${solver}: ${reason}`).join("; ");
  if (isFaulty) throw new DeviceError(`no solver for this ${operation.direction} works on this device: ${reasons}`);
  throw new LimitError(`no solver can run this ${operation.direction} within the device's limits: ${reasons}`);
}

function planDefault(
  solver: ListedSolver,
  operation: ConvOperation,
  capabilities: Capabilities,
): SolverPlan | { refused: string } {
  const [config] = solver.configs(operation, capabilities);
  return planFor(solver, operation, capabilities, config);
}

/** Throws unless the solver has all these knobs. That they are all there, and good, is for its plan to say. */
function requireKnobs({ name, knobs }: ListedSolver, config: SolverConfig): void {
  requireOptions(config, { names: new Set(Object.keys(knobs)), bare: {} }, `${name}'s config`);
}

function selectNamed(
  operation: ConvOperation,
  capabilities: Capabilities,
  solvers: readonly ListedSolver[],
  choice: SolverChoice,
): Selection {
  const { name, config }: { name: string; config?: SolverConfig } =
    typeof choice === "string" ? { name: choice } : choice;
  const solver = solvers.find((candidate) => candidate.name === name);
  if (!solver) {
    const known = solvers.map((candidate) => candidate.name).join(", ");
    throw new SolverError(`there is no solver ${show(name)} for ${operation.direction}; there are ${known}`);
  }
  if (config) requireKnobs(solver, config);
  const outcome = config
    ? planFor(solver, operation, capabilities, config)
    : planDefault(solver, operation, capabilities);
  if (isRefusal(outcome)) throw new SolverError(`solver ${name} refuses: ${outcome.refused}`);
  const others = solvers.filter((other) => other !== solver);
  return {
    plan: outcome,
    passedOver: others.map((other) => ({ solver: other.name, reason: `${name} was asked for` })),
  };
}
