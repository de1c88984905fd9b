/** Which results neighbouring threads take, where a kernel leaves that to its solver. */
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";
import type { ConvOperation } from "../../problem/operation.js";

/** Whether they should take neighbouring channels: these lie together, and the device loads what lies together at once. */
export function alongChannels({ problem }: ConvOperation, capabilities: Capabilities): boolean {
  return problem.layout === "channels-last" && policyOf(capabilities).loadCost === undefined;
}
