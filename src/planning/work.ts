/** How much of what a plan multiplies its operation needs: the one place that says so. */
import { type ConvOperation, sumsProducts } from "../problem/operation.js";
import type { SolverPlan } from "./solver.js";

/** Multiply-adds that all dispatches of a plan execute. */
export function executedMultiplyAdds({ dispatches }: Pick<SolverPlan, "dispatches">): number {
  return dispatches.reduce((sum, { multiplyAdds = 0 }) => sum + multiplyAdds, 0);
}

/**
 * The share of a plan's multiply-adds that its algorithm needs (those of Winograd's are fewer than the problem's); undefined
 * where it executes none. What meets the convolution's padding is needed; an input gradient that leaves it out may execute less.
 */
export function usefulShare(operation: ConvOperation, plan: SolverPlan): number | undefined {
  const executed = executedMultiplyAdds(plan);
  if (!sumsProducts(operation) || executed === 0) return undefined;
  return Math.min(1, (plan.neededMultiplyAdds ?? operation.problem.multiplyAdds) / executed);
}
