/** Tiles of both implicit GEMM kernels: their knobs, the candidates, and what makes one usable. */
import type { Capabilities } from "../../planning/capabilities.js";
import type { DevicePolicy } from "../../planning/policy.js";
import type { Knobs } from "../../planning/knobs.js";
import { countRefusal, preferring, tileSizeRefusal } from "../shared/constants.js";

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
}

export const TILE_KNOBS: Knobs<WorkgroupTile> = {
  threadsN: true,
  threadsM: true,
  mPerThread: true,
  vectorsPerThread: true,
  tileK: true,
  unroll: false,
};

const VECTOR = 4;
const VECTOR_BYTES = 16;

/** Tiles from large to small. */
const WORKGROUP_TILES: readonly WorkgroupTile[] = [
  { threadsN: 16, threadsM: 16, mPerThread: 8, vectorsPerThread: 2, tileK: 8 },
  { threadsN: 16, threadsM: 8, mPerThread: 8, vectorsPerThread: 1, tileK: 16 },
  { threadsN: 16, threadsM: 16, mPerThread: 4, vectorsPerThread: 1, tileK: 16 },
  { threadsN: 8, threadsM: 8, mPerThread: 4, vectorsPerThread: 1, tileK: 8 },
];

export const tileM = ({ mPerThread, threadsM }: WorkgroupTile): number => mPerThread * threadsM;
export const tileN = ({ vectorsPerThread, threadsN }: WorkgroupTile): number => VECTOR * vectorsPerThread * threadsN;

/** Sums of a thread. */
export const tileSums = ({ mPerThread, vectorsPerThread }: WorkgroupTile): number =>
  VECTOR * mPerThread * vectorsPerThread;

/** Tiles that a product takes. */
export function tileCount(tile: WorkgroupTile, m: number, n: number): number {
  return Math.ceil(m / tileM(tile)) * Math.ceil(n / tileN(tile));
}

/** Multiply-adds of a product in whole tiles. */
export function tileMultiplyAdds(tile: WorkgroupTile, m: number, n: number, k: number): number {
  const results = tileCount(tile, m, n) * tileM(tile) * tileN(tile);
  return results * tile.tileK * Math.ceil(k / tile.tileK);
}

/** The same tile with fewer barriers, or with fewer iterations of the inner loop and more instructions. */
function variantsOf(tile: WorkgroupTile): readonly WorkgroupTile[] {
  const fewerBarriers = tile.vectorsPerThread > 1 ? [{ ...tile, tileK: 2 * tile.tileK }] : [];
  return [...fewerBarriers, { ...tile, unroll: tile.tileK / VECTOR }];
}

/**
 * Tiles for a product of `m` by `n`, repeated `copies` times. The largest that leaves enough workgroups comes first.
 * Tiles that would be mostly empty are left out. Variants of the first one come last.
 */
export function candidateTiles(
  m: number,
  n: number,
  copies: number,
  { busyTileWorkgroups }: DevicePolicy,
): readonly WorkgroupTile[] {
  const [smallest] = WORKGROUP_TILES.slice(-1);
  const fitting = WORKGROUP_TILES.filter((tile) => tile === smallest || tileM(tile) < 2 * m);
  const tiles = preferring(fitting, (tile) => copies * tileCount(tile, m, n) >= busyTileWorkgroups);
  return [...tiles, ...variantsOf(tiles[0])];
}

/**
 * Why a device, or the kernel itself, cannot use a tile; undefined when it can.
 *
 * @param padding vectors that follow each k of B in workgroup memory, so that its banks are used evenly
 */
export function tileRefusal(tile: WorkgroupTile, { limits }: Capabilities, padding = 0): string | undefined {
  const { threadsN, threadsM, mPerThread, vectorsPerThread, tileK, unroll = 1 } = tile;
  const wrong = countRefusal({ threadsN, threadsM, mPerThread, vectorsPerThread, tileK, unroll });
  if (wrong !== undefined) return wrong;
  const threads = threadsN * threadsM;
  if (threads > limits.maxComputeInvocationsPerWorkgroup) {
    return `the tile needs ${String(threads)} threads in a workgroup; the device has at most ${String(limits.maxComputeInvocationsPerWorkgroup)}`;
  }
  const vectorsKept = (tileM(tile) * tileK) / VECTOR + tileK * (threadsN * vectorsPerThread + padding);
  if (vectorsKept * VECTOR_BYTES > limits.maxComputeWorkgroupStorageSize) {
    return `the tile needs ${String(vectorsKept * VECTOR_BYTES)} bytes of workgroup memory; the device has ${String(limits.maxComputeWorkgroupStorageSize)}`;
  }
  const loadsOfA = (tileM(tile) * tileK) / VECTOR / threads;
  const loadsOfB = (tileK * threadsN * vectorsPerThread) / threads;
  const even =
    Number.isInteger(loadsOfA) && Number.isInteger(loadsOfB) && threads % (threadsN * vectorsPerThread) === 0;
  if (!even || tileK % VECTOR !== 0) {
    return `a tile of ${String(tileM(tile))} x ${String(tileN(tile))} x ${String(tileK)} does not divide evenly among ${String(threads)} threads`;
  }
  if ((tileK / VECTOR) % unroll !== 0) {
    return `unroll is ${String(unroll)}; expected a divisor of ${String(tileK / VECTOR)}, the vectors of tileK`;
  }
  const sums = mPerThread * vectorsPerThread * VECTOR;
  return tileSizeRefusal(sums, Math.max(sums * unroll, VECTOR * loadsOfA, VECTOR * loadsOfB));
}

/** The kernel constants of a tile. */
export function tileConstants({ threadsN, threadsM, mPerThread, vectorsPerThread, tileK, unroll = 1 }: WorkgroupTile) {
  return {
    THREADS_N: threadsN,
    THREADS_M: threadsM,
    M_PER_THREAD: mPerThread,
    VECTORS_PER_THREAD: vectorsPerThread,
    TILE_K: tileK,
    UNROLL: unroll,
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
