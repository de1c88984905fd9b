/** The transform of the sums of products back to results, with what is fused into the pass. */
import kernel from "../../../shaders/winograd/winograd_result.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type Dispatch, dispatch, foldWorkgroups } from "../../planning/solver.js";
import type { ConvOperation } from "../../problem/operation.js";
import { activationConstants, elementTypes, vectorResults } from "../shared/constants.js";
import { liesInVectors, slopesOf } from "../shared/gather.js";
import {
  type Chunk,
  gridUniforms,
  THREADS,
  type Tiling,
  transformConstants,
  type WinogradConfig,
} from "./winogradTiling.js";

export function resultDispatch(
  operation: ConvOperation,
  tiling: Tiling,
  config: WinogradConfig,
  chunk: Chunk,
  pitch: number,
  capabilities: Capabilities,
): Dispatch {
  const { gather, resultChannels } = tiling;
  const [, resultHeight, resultWidth] = gather.uniforms.resultSize;
  const { bias, residual, result } = gather.bindings;
  const types = elementTypes(operation);
  const isVector = config.tile === 4 && tiling.dilation[1] === 1 && liesInVectors(gather, resultWidth);
  const vectors = vectorResults(types.Element, isVector);
  return dispatch(kernel, {
    constants: {
      ...transformConstants(operation, config),
      HAS_BIAS: operation.bias,
      HAS_RESIDUAL: operation.residual,
      ...activationConstants(operation),
      ...vectors.constants,
    },
    types: { ...types, ...vectors.types },
    uniforms: {
      ...gridUniforms(tiling, chunk, pitch),
      channels: resultChannels,
      resultHeight,
      resultWidth,
      resultStrides: gather.uniforms.resultStrides,
    },
    bindings: { sums: "winograd sums", bias, residual, activated: slopesOf(operation), result },
    workgroups: foldWorkgroups(Math.ceil((resultChannels * chunk.tiles) / THREADS), capabilities),
  });
}
