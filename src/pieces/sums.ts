/** Adds parts of sums, in a fixed order: as the second stage of a bias gradient. */
import { LimitError } from "../base/errors.js";
import type { Capabilities } from "../planning/capabilities.js";
import { bindingsRefusal, withinLimits } from "../planning/deviceLimits.js";
import { isRefusal, type SolverPlan } from "../planning/solver.js";
import type { DType } from "../problem/dtype.js";
import { type ConvOperation, NOTHING_FUSED } from "../problem/operation.js";
import { makeProblem } from "../problem/problem.js";
import { convertHalf } from "../solvers/passes/convertHalf.js";
import { channelSums } from "../solvers/passes/reducePartials.js";

const ELEMENT_BYTES = 4;

/** Adds so many partial results into what is bound as bias. */
export function planSum(elements: number, parts: number, dtype: DType, capabilities: Capabilities): SolverPlan {
  const problem = makeProblem(1, [1, 1, 1], [elements, 1, 1]);
  const operation: ConvOperation = { ...NOTHING_FUSED, direction: "biasGradient", problem, dtype: "float32" };
  const sums = (given: Capabilities) => ({
    dispatches: channelSums(operation, parts, given).reduction,
    scratchBytes: {},
  });
  const usual = sums(capabilities);
  const { dispatches } =
    bindingsRefusal(usual, capabilities) === undefined ? usual : sums({ ...capabilities, finishesApart: true });
  const plan = { solver: "sum-of-parts", config: {}, dispatches, scratchBytes: {} };
  const outcome = withinLimits(dtype === "float16" ? narrowed(plan, elements, capabilities) : plan, capabilities);
  if (isRefusal(outcome)) throw new LimitError(outcome.refused);
  return outcome;
}

function narrowed(plan: SolverPlan, elements: number, capabilities: Capabilities): SolverPlan {
  const steps = plan.dispatches.map((step) => ({
    ...step,
    bindings: { ...step.bindings, result: "bias converted" as const },
  }));
  const stored = convertHalf(elements, true, { source: "bias converted", result: "bias" }, capabilities);
  return { ...plan, dispatches: [...steps, stored], scratchBytes: { "bias converted": ELEMENT_BYTES * elements } };
}
