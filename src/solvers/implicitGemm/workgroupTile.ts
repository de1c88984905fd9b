/** The tile shapes that the two implicit GEMM kernels share, and what makes one usable. */
import type { Capabilities } from "../../planning/capabilities.js";
import type { DevicePolicy } from "../../planning/policy.js";
import type { Knobs } from "../../planning/knobs.js";
import { countRefusal, preferring, tileSizeRefusal } from "../shared/constants.js";

/** Knobs of a tile. The product is of M rows (channels) by N columns (positions, or weights of a filter), over K terms. */
export interface WorkgroupTile {
  /** Threads of a workgroup along its columns. */
  readonly threadsX: number;
  /** Threads of a workgroup along its rows. */
  readonly threadsY: number;
  /** Rows that a thread computes. More use each value of a column more often, and take registers. */
  readonly rows: number;
  /** Vectors of 4 columns that a thread computes, likewise. */
  readonly vectors: number;
  /** Terms that are staged in workgroup memory at a time, in fours. More save barriers, and take workgroup memory. */
  readonly tileDepth: number;
  /** Vectors of 4 terms that the inner loop writes out, 1 when absent. More save turns, and take instructions. */
  readonly unroll?: number;
}

export const TILE_KNOBS: Knobs<WorkgroupTile> = {
  threadsX: true,
  threadsY: true,
  rows: true,
  vectors: true,
  tileDepth: true,
  unroll: false,
};

const VECTOR = 4;
const VECTOR_BYTES = 16;

/** Tiles from large to small. A workgroup computes `rows * threadsY` by `4 * vectors * threadsX`. */
const WORKGROUP_TILES: readonly WorkgroupTile[] = [
  { threadsX: 16, threadsY: 16, rows: 8, vectors: 2, tileDepth: 8 },
  { threadsX: 16, threadsY: 8, rows: 8, vectors: 1, tileDepth: 16 },
  { threadsX: 16, threadsY: 16, rows: 4, vectors: 1, tileDepth: 16 },
  { threadsX: 8, threadsY: 8, rows: 4, vectors: 1, tileDepth: 8 },
];

export const tileRows = ({ rows, threadsY }: WorkgroupTile): number => rows * threadsY;
export const tileColumns = ({ vectors, threadsX }: WorkgroupTile): number => VECTOR * vectors * threadsX;

/** Sums of a thread. */
export const tileSums = ({ rows, vectors }: WorkgroupTile): number => VECTOR * rows * vectors;

/** Tiles that a matrix takes. */
export function tileCount(tile: WorkgroupTile, rows: number, columns: number): number {
  return Math.ceil(rows / tileRows(tile)) * Math.ceil(columns / tileColumns(tile));
}

/** Multiply-adds of a product of `rows` by `columns` over `depth`, in whole tiles. */
export function tileMultiplyAdds(tile: WorkgroupTile, rows: number, columns: number, depth: number): number {
  const results = tileCount(tile, rows, columns) * tileRows(tile) * tileColumns(tile);
  return results * tile.tileDepth * Math.ceil(depth / tile.tileDepth);
}

/** The same results and fewer barriers; or fewer turns of the inner loop, and more instructions to hold. */
function variantsOf(tile: WorkgroupTile): readonly WorkgroupTile[] {
  const deeper = tile.vectors > 1 ? [{ ...tile, tileDepth: 2 * tile.tileDepth }] : [];
  return [...deeper, { ...tile, unroll: tile.tileDepth / VECTOR }];
}

/**
 * Tiles for a product of `rows` by `columns`, repeated `copies` times: the largest that leaves enough
 * workgroups comes first, and none that is mostly empty. Variants of the first one are the last.
 */
export function candidateTiles(
  rows: number,
  columns: number,
  copies: number,
  { busyTileWorkgroups }: DevicePolicy,
): readonly WorkgroupTile[] {
  const [smallest] = WORKGROUP_TILES.slice(-1);
  const fitting = WORKGROUP_TILES.filter((tile) => tile === smallest || tileRows(tile) < 2 * rows);
  const tiles = preferring(fitting, (tile) => copies * tileCount(tile, rows, columns) >= busyTileWorkgroups);
  return [...tiles, ...variantsOf(tiles[0])];
}

/**
 * Why a device, or the kernel itself, cannot use a tile; undefined when it can.
 *
 * @param apart vectors between the lines of its columns in workgroup memory
 */
export function tileRefusal(tile: WorkgroupTile, { limits }: Capabilities, apart = 0): string | undefined {
  const { threadsX, threadsY, rows, vectors, tileDepth, unroll = 1 } = tile;
  const wrong = countRefusal({ threadsX, threadsY, rows, vectors, tileDepth, unroll });
  if (wrong !== undefined) return wrong;
  const threads = threadsX * threadsY;
  if (threads > limits.maxComputeInvocationsPerWorkgroup) {
    return `the tile needs ${String(threads)} threads in a workgroup; the device has at most ${String(limits.maxComputeInvocationsPerWorkgroup)}`;
  }
  const vectorsKept = (tileRows(tile) * tileDepth) / VECTOR + tileDepth * (threadsX * vectors + apart);
  if (vectorsKept * VECTOR_BYTES > limits.maxComputeWorkgroupStorageSize) {
    return `the tile needs ${String(vectorsKept * VECTOR_BYTES)} bytes of workgroup memory; the device has ${String(limits.maxComputeWorkgroupStorageSize)}`;
  }
  const rowLoads = (tileRows(tile) * tileDepth) / VECTOR / threads;
  const columnLoads = (tileDepth * threadsX * vectors) / threads;
  const even = Number.isInteger(rowLoads) && Number.isInteger(columnLoads) && threads % (threadsX * vectors) === 0;
  if (!even || tileDepth % VECTOR !== 0) {
    return `a tile of ${String(tileRows(tile))} x ${String(tileColumns(tile))} x ${String(tileDepth)} does not divide evenly among ${String(threads)} threads`;
  }
  if ((tileDepth / VECTOR) % unroll !== 0) {
    return `unroll is ${String(unroll)}; expected a divisor of ${String(tileDepth / VECTOR)}, the vectors of the depth`;
  }
  const sums = rows * vectors * VECTOR;
  return tileSizeRefusal(sums, Math.max(sums * unroll, VECTOR * rowLoads, VECTOR * columnLoads));
}

/** The kernel constants of a tile. */
export function tileConstants({ threadsX, threadsY, rows, vectors, tileDepth, unroll = 1 }: WorkgroupTile) {
  return {
    THREADS_X: threadsX,
    THREADS_Y: threadsY,
    ROWS: rows,
    VECTORS: vectors,
    TILE_DEPTH: tileDepth,
    UNROLL: unroll,
  };
}

/** Why tiles in workgroup memory are a poor choice for a product with this many rows. */
export function tileDiscouraged(
  rows: number,
  { name, workgroupMemoryPays, gemmFewestChannels: fewest }: DevicePolicy,
): string | undefined {
  if (!workgroupMemoryPays) {
    return `the device is ${name}: workgroup memory and barriers cost more there than they save`;
  }
  return rows < fewest
    ? `${String(rows)} channels a group would leave most of a tile idle (fewer than ${String(fewest)})`
    : undefined;
}
