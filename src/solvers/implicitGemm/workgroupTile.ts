/** Tiles of both implicit GEMM kernels: their knobs, the candidates, and what makes one usable. */
import type { Capabilities } from "../../planning/capabilities.js";
import { type DevicePolicy, policyOf } from "../../planning/policy.js";
import type { Knobs } from "../../planning/knobs.js";
import type { ConvOperation } from "../../problem/operation.js";
import { hasBorder } from "../passes/borderInputGradient.js";
import { countRefusal, tileSizeRefusal } from "../shared/constants.js";

/** Knobs of a tile; implicitGemm.ts has a picture, and says what M, N and K are. */
export interface WorkgroupTile {
  /** Threads of a workgroup along N. More read each weight once for more positions; the workgroup must fit the device. */
  readonly threadsN: number;
  /** Threads of a workgroup along M. More read each patch once for more channels. */
  readonly threadsM: number;
  /** M that a thread computes. More use each value along N more often; each takes 4 * vectorsPerThread registers for sums. */
  readonly mPerThread: number;
  /** Vectors of 4 N that a thread computes. More use each value along M more often; each takes 4 * mPerThread registers. */
  readonly vectorsPerThread: number;
  /** K in workgroup memory at a time, a multiple of 4. More save barriers; each takes tileM + tileN floats of that memory. */
  readonly tileK: number;
  /** Vectors of 4 K that the inner loop unrolls, 1 when absent. More save iterations; each adds instructions. */
  readonly unroll?: number;
  /**
   * Whether a thread loads its part of the next tile while this one is multiplied, 1 when absent, or 0. Loads then take no time of
   * their own; each of their vectors takes 4 registers.
   */
  readonly ahead?: number;
}

export const TILE_KNOBS: Knobs<WorkgroupTile> = {
  threadsN: true,
  threadsM: true,
  mPerThread: true,
  vectorsPerThread: true,
  tileK: true,
  unroll: false,
  ahead: false,
};

const VECTOR = 4;
export const FLOAT_BYTES = 4;

export const tileM = ({ mPerThread, threadsM }: WorkgroupTile): number => mPerThread * threadsM;
export const tileN = ({ vectorsPerThread, threadsN }: WorkgroupTile): number => VECTOR * vectorsPerThread * threadsN;

/** Sums of a thread. */
export const tileSums = ({ mPerThread, vectorsPerThread }: WorkgroupTile): number =>
  VECTOR * mPerThread * vectorsPerThread;

/** Tiles that a product takes. */
export function tileCount(tile: WorkgroupTile, m: number, n: number): number {
  return Math.ceil(m / tileM(tile)) * Math.ceil(n / tileN(tile));
}

/** Multiply-adds of a product: M and N in whole tiles, K in whole steps of the inner loop. */
export function tileMultiplyAdds(tile: WorkgroupTile, m: number, n: number, k: number): number {
  const results = tileCount(tile, m, n) * tileM(tile) * tileN(tile);
  const step = VECTOR * (tile.unroll ?? 1);
  return results * step * Math.ceil(k / step);
}

/** Vectors of each factor that a thread loads for a tile of K. The last one may be missing from A for some threads. */
export function tileLoads({ threadsN, threadsM, mPerThread, vectorsPerThread, tileK }: WorkgroupTile) {
  const threads = threadsN * threadsM;
  return {
    a: Math.ceil((mPerThread * threadsM * tileK) / VECTOR / threads),
    b: (tileK * threadsN * vectorsPerThread) / threads,
  };
}

/** What a kernel needs of workgroup memory besides its tiles. */
export interface TileExtra {
  /** Vectors that follow each k of B, so that banks are used evenly. */
  readonly padding?: number;
  /** Whether A lies in vectors of four M, not of four K. */
  readonly mVectors?: boolean;
  /** Whether the loop over K then takes one after the other, and unrolls none. */
  readonly oneByOne?: boolean;
  readonly tableBytes?: number;
  /** Bytes of an element of the tiles, 4 when absent. */
  readonly heldBytes?: number;
}

/**
 * What tiles hold. float16 stays float16 where multiply-adds take it so: half the workgroup memory, and half the registers of what
 * is read ahead. The products are the same. Pixels, which are normalised on their way, are no float16; nor is what is converted first.
 */
export function heldElement(operation: ConvOperation, capabilities: Capabilities) {
  const isHalf = operation.dtype === "float16" && !operation.pixels && !hasBorder(operation);
  const half = isHalf && capabilities.shaderF16 && policyOf(capabilities).device.mixesHalves;
  return half ? ({ Held: "f16", heldBytes: 2 } as const) : ({ Held: "f32", heldBytes: FLOAT_BYTES } as const);
}

/** Registers for a thread beyond which it keeps where its loads lie. With fewer, what it looks up leaves room for sums. [41] */
const FEW_REGISTERS = 64;

/** Whether threads keep in registers where their loads lie; otherwise they look it up in workgroup memory for each tile of K. */
export const keepsPlaces = (capabilities: Capabilities): boolean =>
  policyOf(capabilities).threadRegisters > FEW_REGISTERS;

/** Bytes of workgroup memory. */
export function tileBytes(
  tile: WorkgroupTile,
  { padding = 0, tableBytes = 0, heldBytes = FLOAT_BYTES }: TileExtra,
): number {
  const { threadsN, vectorsPerThread, tileK } = tile;
  const vectorsKept = (tileM(tile) * tileK) / VECTOR + tileK * (threadsN * vectorsPerThread + padding);
  return vectorsKept * VECTOR * heldBytes + tableBytes;
}

/** Why a device, or the kernel itself, cannot use a tile; undefined when it can. */
export function tileRefusal(tile: WorkgroupTile, { limits }: Capabilities, extra: TileExtra = {}): string | undefined {
  const { threadsN, threadsM, mPerThread, vectorsPerThread, tileK, unroll = 1, ahead = 1 } = tile;
  const wrong = countRefusal({ threadsN, threadsM, mPerThread, vectorsPerThread, tileK, unroll });
  if (wrong !== undefined) return wrong;
  if (ahead !== 0 && ahead !== 1) return `ahead is ${String(ahead)}; expected 0 or 1`;
  const threads = threadsN * threadsM;
  if (threads > limits.maxComputeInvocationsPerWorkgroup) {
    return `the tile needs ${String(threads)} threads in a workgroup; the device has at most ${String(limits.maxComputeInvocationsPerWorkgroup)}`;
  }
  const bytes = tileBytes(tile, extra);
  if (bytes > limits.maxComputeWorkgroupStorageSize) {
    return `the tile needs ${String(bytes)} bytes of workgroup memory; the device has ${String(limits.maxComputeWorkgroupStorageSize)}`;
  }
  const loads = tileLoads(tile);
  const even = Number.isInteger(loads.b) && threads % (threadsN * vectorsPerThread) === 0;
  if (!even || tileK % VECTOR !== 0 || threads % (tileK / VECTOR) !== 0) {
    return `a tile of ${String(tileM(tile))} x ${String(tileN(tile))} x ${String(tileK)} does not divide evenly among ${String(threads)} threads`;
  }
  if ((tileK / VECTOR) % unroll !== 0) {
    return `unroll is ${String(unroll)}; expected a divisor of ${String(tileK / VECTOR)}, the vectors of tileK`;
  }
  const sums = mPerThread * vectorsPerThread * VECTOR;
  return tileSizeRefusal(sums, Math.max(sums * unroll, VECTOR * loads.a, VECTOR * loads.b));
}

/** The kernel constants of a tile (shaders/common/product_tile.wgsl). */
export function tileConstants(tile: WorkgroupTile, { padding = 0, mVectors = false, oneByOne = false }: TileExtra) {
  const { threadsN, threadsM, mPerThread, vectorsPerThread, tileK, unroll = 1 } = tile;
  return {
    THREADS_N: threadsN,
    THREADS_M: threadsM,
    M_PER_THREAD: mPerThread,
    VECTORS_PER_THREAD: vectorsPerThread,
    TILE_K: tileK,
    UNROLL: mVectors && oneByOne ? 1 : VECTOR * unroll,
    PADDING: padding,
    M_VECTORS: mVectors,
  };
}

/** Why tiles in workgroup memory are a poor choice for a product of `m` channels; undefined when they are not. */
export function tileDiscouraged(
  m: number,
  { name, workgroupMemoryPays, gemmFewestChannels: fewest }: DevicePolicy,
): string | undefined {
  if (!workgroupMemoryPays) {
    return `the device is ${name}: workgroup memory and barriers cost more there than they save`;
  }
  return m < fewest
    ? `${String(m)} channels a group would leave most of a tile idle (fewer than ${String(fewest)})`
    : undefined;
}
