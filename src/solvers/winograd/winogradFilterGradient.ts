/** The transform of a weight gradient's sums back to the filters. */
import kernel from "../../../shaders/winograd/winograd_filter_gradient.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type Dispatch, dispatch, foldWorkgroups } from "../../planning/solver.js";
import type { ConvOperation } from "../../problem/operation.js";
import { elementTypes, strideList } from "../shared/constants.js";
import { THREADS, type Tiling, transformConstants, type WinogradConfig } from "./winogradTiling.js";

export function filterGradientDispatch(
  operation: ConvOperation,
  { gather, resultChannels }: Tiling,
  config: WinogradConfig,
  capabilities: Capabilities,
): Dispatch {
  const { problem } = operation;
  const filters = resultChannels * gather.sourceChannels;
  return dispatch(kernel, {
    constants: transformConstants(operation, config),
    types: elementTypes(operation),
    uniforms: {
      filters,
      outputChannels: problem.outChannelsPerGroup,
      inputChannels: problem.inChannelsPerGroup,
      weightStrides: strideList(problem.weightStrides),
      weightGroupStride: problem.outChannelsPerGroup * problem.weightStrides.out,
    },
    bindings: { sums: "winograd filters", result: "w" },
    workgroups: foldWorkgroups(Math.ceil(filters / THREADS), capabilities),
  });
}
