/** What a pass costs a software device, by how it is dealt out: roughly, to compare ways that do the same sums. */
import type { Capabilities } from "../../planning/capabilities.js";

/** Multiply-adds in whose time a lane loads a value: addresses are checked, and lanes load one after the other. */
const LOAD = 3;
/** Lanes of a device that does not tell. */
const FEWEST_LANES = 4;

export interface DealtPass {
  readonly workgroups: number;
  /** Of a workgroup; lanes that have none wait for the others. */
  readonly threads: number;
  /** Of a thread, for each term that it adds to its sums. */
  readonly multiplyAdds: number;
  readonly loads: number;
}

export function laneCost({ workgroups, threads, multiplyAdds, loads }: DealtPass, capabilities: Capabilities): number {
  const lanes = Math.max(FEWEST_LANES, capabilities.subgroupLanes);
  return workgroups * Math.ceil(threads / lanes) * (multiplyAdds + LOAD * loads);
}
