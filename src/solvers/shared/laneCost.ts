/** What a pass costs where lanes load one after the other: a rough number that compares ways to divide the same sums. */
import type { Capabilities } from "../../planning/capabilities.js";

/** Lanes of a device that does not tell. */
const FEWEST_LANES = 4;

export interface LanePass {
  readonly workgroups: number;
  /** Of a workgroup; lanes that have none wait for the others. */
  readonly threads: number;
  /** Of a thread, for each term that it adds to its sums. */
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
