/** How many multiply-adds a plan executes, and the share of them that its operation needs. */
import { type ConvOperation, sumsProducts } from "../problem/operation.js";
import type { SolverPlan } from "./solver.js";

/** Multiply-adds that all dispatches of a plan execute. */
export function executedMultiplyAdds({ dispatches }: Pick<SolverPlan, "dispatches">): number {
  return dispatches.reduce((sum, { multiplyAdds = 0 }) => sum + multiplyAdds, 0);
}

/**
 * The share of a plan's multiply-adds that its algorithm needs; undefined where it executes none. (Winograd's needs fewer than
 * the problem has.) Products with padding count as needed. An input gradient that leaves them out may execute fewer.
 */
export function usefulShare(operation: ConvOperation, plan: SolverPlan): number | undefined {
  const executed = executedMultiplyAdds(plan);
  if (!sumsProducts(operation) || executed === 0) return undefined;
  return Math.min(1, (plan.neededMultiplyAdds ?? operation.problem.multiplyAdds) / executed);
}
