/**
 * Weight gradients that are NaN because an infinite dy met zeros of padding: their second stage sums them once more
 * (reducePartials.ts), or, of a solver that writes its result in one stage, a dispatch that follows it.
 */
import kernel from "../../../shaders/passes/repair_weights.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import {
  type Dispatch,
  dispatch,
  foldWorkgroups,
  isRefusal,
  type ListedSolver,
  type SolverPlan,
  without,
} from "../../planning/solver.js";
import type { ConvOperation } from "../../problem/operation.js";
import { elementTypes, operandTypes } from "../shared/constants.js";
import { gradientBindings, gradientConstants, repairs, repairUniforms } from "./reducePartials.js";

/** The solver of weight gradients, with a repair where its plan has none. */
export const withWeightRepairs = (solver: ListedSolver): ListedSolver => ({
  ...solver,
  plan: (operation, capabilities, config) => {
    const plan = solver.plan(operation, capabilities, config);
    if (isRefusal(plan) || !repairs(operation) || isRepaired(plan)) return plan;
    return { ...plan, dispatches: [...plan.dispatches, weightRepair(plan, operation, capabilities)] };
  },
});

const isRepaired = ({ dispatches }: SolverPlan): boolean =>
  dispatches.some(({ constants }) => constants.REPAIRS === true);

/** Solvers that make NaN of an infinite input, too, and so in some input channels alone. */
const MIXING: readonly string[] = ["rolling-window", "strip", "winograd"];

/** Threads of a workgroup of the kernel. */
const THREADS = 64;
/** What looks at the sums is at most this many workgroups, as long as each has few: they fill a device, should all need repair. */
const WORKGROUPS = 256;
const MOST_SHARED = 64;

function weightRepair(plan: SolverPlan, operation: ConvOperation, capabilities: Capabilities): Dispatch {
  const { problem } = operation;
  const { out, in: input, tap } = problem.weightStrides;
  const every = MIXING.includes(plan.solver);
  const tasks = problem.outChannels * problem.taps * (every ? problem.inChannelsPerGroup : 1);
  const together = every ? THREADS : 1;
  const share = Math.min(MOST_SHARED, Math.ceil(tasks / (together * WORKGROUPS)));
  const step = dispatch(kernel, {
    constants: {
      ...without(gradientConstants(operation), "HAS_BIAS"),
      RANK: problem.rank,
      EVERY: every,
      INFINITIES: plan.solver === "winograd",
    },
    types: { Element: operandTypes(operation).Element, Result: elementTypes(operation).Element },
    uniforms: { tasks, share, strides: [out, input, tap], ...repairUniforms(operation) },
    bindings: { ...gradientBindings(operation), result: "w" },
    workgroups: foldWorkgroups(Math.ceil(tasks / (together * share)), capabilities),
  });
  return { ...step, repairs: true };
}
