/** The transform of a forward pass' or input gradient's filters. */
import kernel from "../../../shaders/winograd/winograd_filter.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type Dispatch, dispatch, foldWorkgroups } from "../../planning/solver.js";
import type { ConvOperation } from "../../problem/operation.js";
import { elementTypes } from "../shared/constants.js";
import { THREADS, type Tiling, transformConstants, type WinogradConfig } from "./winogradTiling.js";

export function filterDispatch(
  operation: ConvOperation,
  { gather, resultChannels }: Tiling,
  config: WinogradConfig,
  capabilities: Capabilities,
): Dispatch {
  const filters = resultChannels * gather.sourceChannels;
  return dispatch(kernel, {
    constants: { ...transformConstants(operation, config), TRANSPOSED: gather.transposed },
    types: elementTypes(operation),
    uniforms: {
      filters,
      resultChannels: gather.resultChannels,
      sourceChannels: gather.sourceChannels,
      weightStrides: gather.uniforms.weightStrides,
      weightGroupStride: gather.uniforms.weightGroupStride,
    },
    bindings: { weight: "w", result: "winograd filters" },
    workgroups: foldWorkgroups(Math.ceil(filters / THREADS), capabilities),
  });
}
