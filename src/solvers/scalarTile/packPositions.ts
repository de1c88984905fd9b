/** Tensors laid out as weight gradients by scalar tiles read them: padded, and with neighbouring channels side by side. */
import kernel from "../../../shaders/scalar_tile/pack_positions.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type Dispatch, dispatch, foldWorkgroups } from "../../planning/solver.js";
import type { ConvOperation } from "../../problem/operation.js";
import type { Triple } from "../../problem/problem.js";
import { gatherTypes, paddingConstant } from "../shared/constants.js";

const THREADS = 64;
const VECTOR = 4;
/** Vectors of channels that a thread takes (pack_positions.wgsl). */
const BLOCK = 4;
const FLOAT_BYTES = 4;

/** What is laid out how. */
export interface Packing {
  readonly role: "x" | "y";
  /** Channels of a tile, a multiple of 4. */
  readonly tile: number;
  /** Positions of a sample as they are laid out, and steps between these in the tensor. */
  readonly packedSize: Triple;
  readonly step: Triple;
  /** Of all samples, rounded up. */
  readonly positions: number;
}

const channelsOf = ({ problem }: ConvOperation, { role }: Packing): number =>
  role === "x" ? problem.inChannelsPerGroup : problem.outChannelsPerGroup;

/** Tiles of channels of all groups. */
const tilesOf = (operation: ConvOperation, packing: Packing): number =>
  operation.problem.groups * Math.ceil(channelsOf(operation, packing) / packing.tile);

export const packedBytes = (operation: ConvOperation, packing: Packing): number =>
  FLOAT_BYTES * tilesOf(operation, packing) * packing.tile * packing.positions;

export const packingThreads = (operation: ConvOperation, packing: Packing): number =>
  tilesOf(operation, packing) * Math.ceil(packing.tile / VECTOR / BLOCK) * packing.positions;

/** The dispatch that lays a tensor out: dy masked, as float32. */
export function packPositions(operation: ConvOperation, packing: Packing, capabilities: Capabilities): Dispatch {
  const { problem, masked, halves = false } = operation;
  const { role, tile, packedSize, step, positions } = packing;
  const isInput = role === "x";
  const channels = channelsOf(operation, packing);
  const threads = packingThreads(operation, packing);
  return dispatch(kernel, {
    constants: {
      RANK: problem.rank,
      PADDING_MODE: isInput ? paddingConstant(problem) : 0,
      MASKED: masked && !isInput,
      HALVES: halves,
    },
    types: halves ? { Element: "u32", Source: "u32" } : gatherTypes(operation),
    uniforms: {
      threads,
      positions,
      batch: problem.batch,
      groupTiles: Math.ceil(channels / tile),
      tileVectors: tile / VECTOR,
      blocks: Math.ceil(tile / VECTOR / BLOCK),
      channels,
      packedSize,
      size: isInput ? problem.input : problem.output,
      step,
      padBegin: isInput ? problem.padBegin : [0, 0, 0],
      strides: isInput ? problem.inputStrides : problem.outputStrides,
    },
    bindings: { source: role, activated: masked && !isInput ? "activated" : "unused", result: `${role} packed` },
    workgroups: foldWorkgroups(Math.ceil(threads / THREADS), capabilities),
  });
}
