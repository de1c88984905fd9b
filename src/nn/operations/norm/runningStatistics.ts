/** Running statistics in the form of those of a batch. */
import kernel from "../../../../shaders/nn/running_statistics.wgsl";
import type { Capabilities } from "../../../planning/capabilities.js";
import { type BindingSource, type Dispatch, dispatch } from "../../../planning/solver.js";
import { named } from "../../../planning/tensorOperation.js";
import { workgroupsFor } from "../../core/elements.js";

export const runningStatistics = (
  channels: number,
  eps: number,
  statistics: BindingSource,
  capabilities: Capabilities,
): Dispatch =>
  dispatch(kernel, {
    constants: {},
    types: {},
    uniforms: { channels, eps },
    bindings: { runningMean: named("runningMean"), runningVariance: named("runningVar"), statistics },
    workgroups: workgroupsFor(channels, capabilities),
  });
