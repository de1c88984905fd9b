/** What a pass costs where lanes load one after the other: a rough number that compares ways to divide the same sums. */
import type { Capabilities } from "../../planning/capabilities.js";

/** Lanes of a subgroup where the device does not say. */
const FEWEST_LANES = 4;

export interface LanePass {
  readonly workgroups: number;
  /** Threads of a workgroup; lanes without one wait for the others. */
  readonly threads: number;
  /** Multiply-adds and loads of a thread, for each term that it adds to its sums. */
  readonly multiplyAdds: number;
  readonly loads: number;
}

/**
 * @param loadCost of the device's policy: multiply-adds in whose time a lane loads a value
 */
export function laneCost(
  { workgroups, threads, multiplyAdds, loads }: LanePass,
  loadCost: number,
  capabilities: Capabilities,
): number {
  const lanes = Math.max(FEWEST_LANES, capabilities.subgroupLanes);
  return workgroups * Math.ceil(threads / lanes) * (multiplyAdds + loadCost * loads);
}
