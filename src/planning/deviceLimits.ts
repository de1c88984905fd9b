/** Limits of a device that hold for every plan, whichever solver made it. */
import { uniformRefusal } from "../kernels/uniforms.js";
import type { Capabilities } from "./capabilities.js";
import { isRefusal, type Refusal, type SolverPlan } from "./solver.js";

/** The plan; or why the device cannot bind its scratch memory, start its workgroups, or count its sizes in 32 bits. */
export function withinLimits(plan: SolverPlan | Refusal, { limits }: Capabilities): SolverPlan | Refusal {
  if (isRefusal(plan)) return plan;
  const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  const tooLarge = Object.entries(plan.scratchBytes).find(([, bytes]) => !(bytes <= most));
  if (tooLarge) {
    const [name, bytes] = tooLarge;
    return { refused: `"${name}" needs ${String(bytes)} bytes of scratch memory; the device binds ${String(most)}` };
  }
  const widest = limits.maxComputeWorkgroupsPerDimension;
  for (const { kernel, uniforms, workgroups } of plan.dispatches) {
    if (!workgroups.every((count) => count >= 1 && count <= widest)) {
      const grid = workgroups.join(" x ");
      return {
        refused: `${kernel.name} needs ${grid} workgroups; the device starts ${String(widest)} along a dimension (maxComputeWorkgroupsPerDimension)`,
      };
    }
    const unfit = uniformRefusal(kernel, uniforms);
    if (unfit !== undefined) return { refused: unfit };
  }
  return plan;
}
