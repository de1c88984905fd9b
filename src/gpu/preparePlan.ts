/** The plan of an operation, made ready for the device. */
import type { SolverChoice } from "../planning/choice.js";
import type { SolverPlan } from "../planning/solver.js";
import type { ConvOperation } from "../problem/operation.js";
import type { DeviceParts } from "./parts.js";
import type { PreparedPlan } from "./pipelines/prepared.js";
import type { Trial } from "./pipelines/trial.js";

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

/** Begins the trial of a plan of the operation. What runs in pieces has one for each piece. */
export function trialFor(
  { device, capabilities, pipelines, vetting, selectAny }: DeviceParts,
  operation: ConvOperation,
): (plan: SolverPlan) => Trial | undefined {
  return (plan) =>
    plan.pieces ? undefined : vetting?.trialOf(operation, plan, { device, capabilities, pipelines, select: selectAny });
}
