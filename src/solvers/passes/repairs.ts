/**
 * Results that are NaN because kernels multiply the zeros of padding by infinite weights: they are summed once more, where padding
 * has no terms. So inner loops cost what they do without, and an operation whose weights the host knows to be finite has no
 * such dispatch. Weight gradients: repairWeights.ts.
 */
import type { Capabilities } from "../../planning/capabilities.js";
import type { SolverPlan } from "../../planning/solver.js";
import { bounded } from "../../problem/bounded.js";
import type { ConvOperation } from "../../problem/operation.js";
import { directDispatch } from "../direct/direct.js";
import { EMPTY_BOX, insideBox } from "../shared/insideBox.js";
import { hasBorder } from "./borderInputGradient.js";

/** The plan, with the repair of its results where the operation asks for it and a filter reaches beyond the source. */
export function withRepairs(plan: SolverPlan, operation: ConvOperation, capabilities: Capabilities): SolverPlan {
  if (operation.repairs !== true || plan.solver === "direct") return plan;
  const given = { ...operation, problem: bounded(operation.problem) };
  const inside = insideBox(given);
  if (!inside) return plan;
  const packs = plan.packsResults === true;
  // An infinity spreads to all results of a tile, as itself or, where two differ, as NaN.
  const infinities = plan.solver === "winograd";
  const step = directDispatch(given, capabilities, {
    box: packs || infinities ? EMPTY_BOX : inside,
    packs,
    infinities,
  });
  const at = plan.dispatches.length - (hasBorder(operation) ? 1 : 0);
  return { ...plan, dispatches: [...plan.dispatches.slice(0, at), step, ...plan.dispatches.slice(at)] };
}
