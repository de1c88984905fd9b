/** The transform of a forward pass' or input gradient's filters. */
import kernel from "../../../shaders/winograd/winograd_filter.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type Dispatch, dispatch, foldWorkgroups } from "../../planning/solver.js";
import type { ConvOperation } from "../../problem/operation.js";
import { columnsOf, type ColumnTile } from "../scalarTile/packColumns.js";
import { elementTypes } from "../shared/constants.js";
import { BYTES, THREADS, type Tiling, transformConstants, type WinogradConfig } from "./winogradTiling.js";

export interface TransformedFilters {
  readonly bytes: number;
  readonly dispatch: Dispatch;
}

/** @param tile how filters lie for the product, which is pointwise */
export function transformedFilters(
  operation: ConvOperation,
  { gather, products }: Tiling,
  config: WinogradConfig,
  tile: ColumnTile,
  capabilities: Capabilities,
): TransformedFilters {
  const { groups } = operation.problem;
  const { tilesM, paddedChannels, bytes } = columnsOf({ taps: 1, groups }, gather, tile);
  const filters = bytes / BYTES;
  const step = dispatch(kernel, {
    constants: { ...transformConstants(operation, config), TRANSPOSED: gather.transposed },
    types: elementTypes(operation),
    uniforms: {
      filters,
      tileM: tile.tileM,
      tilesM,
      paddedChannels,
      resultChannels: gather.resultChannels,
      sourceChannels: gather.sourceChannels,
      weightStrides: gather.uniforms.weightStrides,
      weightGroupStride: gather.uniforms.weightGroupStride,
    },
    bindings: { weight: "w", result: "winograd filters" },
    workgroups: foldWorkgroups(Math.ceil(filters / THREADS), capabilities),
  });
  return { bytes: products * bytes, dispatch: step };
}
