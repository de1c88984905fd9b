/** The transform of what is read in patches: sources of a forward pass or an input gradient, and dy of a weight gradient. */
import kernel from "../../../shaders/winograd/winograd_source.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type Dispatch, dispatch, foldWorkgroups } from "../../planning/solver.js";
import type { ConvOperation } from "../../problem/operation.js";
import { gatherTypes, paddingConstant } from "../shared/constants.js";
import { flippedPadding } from "../shared/gather.js";
import {
  type Chunk,
  gridUniforms,
  patchOf,
  THREADS,
  type Tiling,
  transformConstants,
  type WinogradConfig,
} from "./winogradTiling.js";

/**
 * The transform of a forward pass' or input gradient's sources, in overlapping patches.
 *
 * @param pitch elements from one k of the product to the next
 */
export function sourceDispatch(
  operation: ConvOperation,
  tiling: Tiling,
  config: WinogradConfig,
  chunk: Chunk,
  pitch: number,
  capabilities: Capabilities,
): Dispatch {
  const { gather, sourceChannels } = tiling;
  const { problem } = operation;
  const [, sourceHeight, sourceWidth] = gather.uniforms.sourceSize;
  const pad = flippedPadding(gather, problem);
  return dispatch(kernel, {
    constants: {
      ...transformConstants(operation, config),
      EXTENT: patchOf(problem, config.tile),
      GRADIENTS: false,
      MASKED: operation.masked,
      HALVES: false,
      PADDING_MODE: gather.transposed ? 0 : paddingConstant(problem),
    },
    types: gatherTypes(operation),
    uniforms: {
      ...gridUniforms(tiling, chunk, pitch),
      batchTiles: tiling.tiles,
      channels: sourceChannels,
      sourceHeight,
      sourceWidth,
      padTop: pad[1],
      padLeft: pad[2],
      sourceStrides: gather.uniforms.sourceStrides,
    },
    bindings: {
      source: gather.bindings.source,
      activated: operation.masked ? "activated" : "unused",
      result: "winograd sources",
    },
    workgroups: foldWorkgroups(Math.ceil((sourceChannels * chunk.tiles) / THREADS), capabilities),
  });
}

/** The transform of dy, tile by tile, for a weight gradient; `tiling` is the forward pass'. */
export function gradientDispatch(
  operation: ConvOperation,
  tiling: Tiling,
  config: WinogradConfig,
  chunk: Chunk,
  pitch: number,
  capabilities: Capabilities,
): Dispatch {
  const { problem, masked } = operation;
  return dispatch(kernel, {
    constants: {
      ...transformConstants(operation, config),
      EXTENT: config.tile,
      GRADIENTS: true,
      MASKED: masked,
      HALVES: false,
      PADDING_MODE: 0,
    },
    types: gatherTypes(operation),
    uniforms: {
      ...gridUniforms(tiling, chunk, pitch),
      batchTiles: tiling.tiles,
      channels: problem.outChannels,
      sourceHeight: problem.output[1],
      sourceWidth: problem.output[2],
      padTop: 0,
      padLeft: 0,
      sourceStrides: problem.outputStrides,
    },
    bindings: { source: "y", activated: masked ? "activated" : "unused", result: "winograd sums" },
    workgroups: foldWorkgroups(Math.ceil((problem.outChannels * chunk.tiles) / THREADS), capabilities),
  });
}
