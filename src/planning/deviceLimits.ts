/** Limits of a device that hold for every plan, whichever solver made it. */
import { uniformRefusal } from "../kernels/uniforms.js";
import type { Capabilities } from "./capabilities.js";
import { cutGrid } from "./parts.js";
import { type Dispatch, isRefusal, type Refusal, type SolverPlan, type Steps } from "./solver.js";

/** Why a device cannot bind all that a dispatch of the plan reads and writes; undefined where it can. */
export function bindingsRefusal({ dispatches }: Steps, { limits }: Pick<Capabilities, "limits">): string | undefined {
  const most = limits.maxStorageBuffersPerShaderStage;
  for (const { kernel, bindings } of dispatches) {
    const bound = Object.values(bindings).filter((source) => source !== "unused").length;
    if (bound <= most) continue;
    return `${kernel.name} binds ${String(bound)} storage buffers; the device binds ${String(most)} (maxStorageBuffersPerShaderStage)`;
  }
  return undefined;
}

/**
 * The plan, with grids wider than the device starts along a dimension in parts; or why the device cannot bind its scratch memory, or
 * count its sizes in 32 bits.
 */
export function withinLimits(plan: SolverPlan | Refusal, { limits }: Capabilities): SolverPlan | Refusal {
  if (isRefusal(plan)) return plan;
  const unbound = bindingsRefusal(plan, { limits });
  if (unbound !== undefined) return { refused: unbound };
  const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  const tooLarge = Object.entries(plan.scratchBytes).find(([, bytes]) => !(bytes <= most));
  if (tooLarge) {
    const [name, bytes] = tooLarge;
    return { refused: `"${name}" needs ${String(bytes)} bytes of scratch memory; the device binds ${String(most)}` };
  }
  const widest = limits.maxComputeWorkgroupsPerDimension;
  for (const step of plan.dispatches) {
    const { kernel, uniforms, workgroups } = step;
    if (!workgroups.every((count) => count >= 1)) {
      return { refused: `${kernel.name} needs ${workgroups.join(" x ")} workgroups; expected at least one` };
    }
    const unfit = uniformRefusal(kernel, uniforms);
    if (unfit !== undefined) return { refused: unfit };
  }
  const isWide = ({ workgroups }: Dispatch): boolean => workgroups.some((count) => count > widest);
  if (!plan.dispatches.some(isWide)) return plan;
  // A plan may have the same dispatch several times, among others: it stays one object.
  const cut = new Map(plan.dispatches.map((step) => [step, cutGrid(step, Infinity, widest)]));
  return { ...plan, dispatches: plan.dispatches.flatMap((step) => cut.get(step) ?? []) };
}
