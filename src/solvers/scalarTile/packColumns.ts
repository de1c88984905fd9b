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

export interface PackedColumns {
  /** Of `unit` channels and `tileM` result channels each, between groups, tiles of M and taps. */
  readonly strides: readonly number[];
  readonly bytes: number;
  readonly dispatch: Dispatch;
}

/**
 * The weights of a pass that gathers, as float32.
 *
 * @param tileM result channels of a tile, a multiple of 4
 * @param unit source channels are padded to a multiple of this
 */
export function packedColumns(
  operation: ConvOperation,
  { sourceChannels, resultChannels, uniforms: { weightStrides, weightGroupStride } }: Gather,
  tileM: number,
  unit: number,
  capabilities: Capabilities,
): PackedColumns {
  const { taps, groups } = operation.problem;
  const tilesM = Math.ceil(resultChannels / tileM);
  const units = Math.ceil(sourceChannels / unit);
  const paddedChannels = unit * units;
  const threads = (groups * tilesM * taps * paddedChannels * tileM) / VECTOR;
  const pack = dispatch(kernel, {
    constants: {},
    types: elementTypes(operation),
    uniforms: {
      threads,
      tileVectors: tileM / VECTOR,
      paddedChannels,
      taps,
      tilesM,
      resultChannels,
      sourceChannels,
      weightStrides,
      weightGroupStride,
    },
    bindings: { weight: "w", result: "weights packed" },
    workgroups: foldWorkgroups(Math.ceil(threads / THREADS), capabilities),
  });
  return {
    strides: [tilesM * taps * units, taps * units, units],
    bytes: threads * VECTOR * FLOAT_BYTES,
    dispatch: pack,
  };
}
