/** The plan of an operation, made ready for the device. */
import type { SolverChoice } from "../planning/choice.js";
import { type SolverPlan, withoutRepairs } from "../planning/solver.js";
import { type ConvOperation, keyOf } from "../problem/operation.js";
import { withOperandsWidened } from "../solvers/passes/conversions.js";
import type { DeviceParts } from "./parts.js";
import type { PreparedPlan, TryOut } from "./pipelines/prepared.js";
import type { TriedOperation } from "./pipelines/trial.js";

/** @param key `keyOf(operation)`, which says nothing of repairs */
export function preparePlan(
  parts: DeviceParts,
  operation: ConvOperation,
  choice: SolverChoice | undefined,
  key: string,
): PreparedPlan {
  const { plans, labels, capabilities, select } = parts;
  const variant = operation.repairs === true ? `${key} repairs` : key;
  const planKey = choice === undefined ? variant : `${variant} ${JSON.stringify(choice)}`;
  const label = labels && (() => labels.ofOperation(operation));
  return plans.get(planKey, () => select(operation, capabilities, choice).plan, trialFor(parts, operation), label);
}

/**
 * The plan of a piece of an operation, by whatever solver does it.
 *
 * @param isWidened whether it is a part of sums of float16, which stays float32
 */
export function preparePiece(parts: DeviceParts, operation: ConvOperation, isWidened: boolean): PreparedPlan {
  const key = keyOf(operation);
  if (!isWidened) return preparePlan(parts, operation, undefined, key);
  const { plans, labels, capabilities, select } = parts;
  const widened: ConvOperation = { ...operation, dtype: "float32" };
  const { plan } = select(widened, capabilities, undefined);
  return plans.get(
    `${key} widened`,
    () => withOperandsWidened(plan, operation, capabilities),
    () => trialFor(parts, widened)(plan),
    labels && (() => labels.ofOperation(operation)),
  );
}

/**
 * How the trial of a plan of the operation begins. What runs in pieces has one for each piece; what is not to be repaired is tried
 * without its repairs, whose kernels need not be compiled then.
 */
export function trialFor(
  { device, capabilities, pipelines, vetting, selectAny }: DeviceParts,
  operation: TriedOperation,
): (plan: SolverPlan) => TryOut {
  const ground = { device, capabilities, pipelines, select: selectAny };
  return (plan) => (repairs) => {
    if (plan.pieces) return undefined;
    if (repairs || !("direction" in operation)) return vetting?.trialOf(operation, plan, ground);
    return vetting?.trialOf({ ...operation, repairs }, withoutRepairs(plan), ground);
  };
}
