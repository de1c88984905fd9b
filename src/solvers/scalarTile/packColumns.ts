/** Weights laid out column by column: for each channel and tap those of a tile's result channels, as scalar tiles read them. */
import kernel from "../../../shaders/scalar_tile/pack_columns.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type Dispatch, dispatch, foldWorkgroups } from "../../planning/solver.js";
import type { ConvOperation } from "../../problem/operation.js";
import { elementTypes } from "../shared/constants.js";
import type { Gather } from "../shared/gather.js";

const THREADS = 64;
const VECTOR = 4;
const FLOAT_BYTES = 4;

/** What columns are cut into. */
export interface ColumnTile {
  /** Result channels of a tile. */
  readonly tileM: number;
  /** Source channels are padded to a multiple of this. */
  readonly unit: number;
}

/** How weights lie in columns. */
export interface Columns {
  readonly tilesM: number;
  /** Source channels with those that pad them, whose weights are 0. */
  readonly paddedChannels: number;
  /** Of `unit` channels and `tileM` result channels each, between groups, tiles of M and taps. */
  readonly strides: readonly number[];
  /** As float32. */
  readonly bytes: number;
}

export function columnsOf(
  { taps, groups }: Pick<ConvOperation["problem"], "taps" | "groups">,
  { sourceChannels, resultChannels }: Pick<Gather, "sourceChannels" | "resultChannels">,
  { tileM, unit }: ColumnTile,
): Columns {
  const tilesM = Math.ceil(resultChannels / tileM);
  const units = Math.ceil(sourceChannels / unit);
  return {
    tilesM,
    paddedChannels: unit * units,
    strides: [tilesM * taps * units, taps * units, units],
    bytes: FLOAT_BYTES * groups * tilesM * taps * unit * units * tileM,
  };
}

/** Lays out the weights of a pass that gathers. `tileM` is a multiple of 4. */
export function packColumns(
  operation: ConvOperation,
  gather: Gather,
  tile: ColumnTile,
  capabilities: Capabilities,
): Dispatch {
  const { problem } = operation;
  const { tilesM, paddedChannels, bytes } = columnsOf(problem, gather, tile);
  const { sourceChannels, resultChannels, uniforms } = gather;
  const threads = bytes / FLOAT_BYTES / VECTOR;
  return dispatch(kernel, {
    constants: {},
    types: elementTypes(operation),
    uniforms: {
      threads,
      tileVectors: tile.tileM / VECTOR,
      paddedChannels,
      taps: problem.taps,
      tilesM,
      resultChannels,
      sourceChannels,
      weightStrides: uniforms.weightStrides,
      weightGroupStride: uniforms.weightGroupStride,
    },
    bindings: { weight: "w", result: "weights packed" },
    workgroups: foldWorkgroups(Math.ceil(threads / THREADS), capabilities),
  });
}
