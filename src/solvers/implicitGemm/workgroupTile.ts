/** The tile shapes that the two implicit GEMM kernels share, and what makes one usable. */
import type { Capabilities } from "../../planning/capabilities.js";
import type { DevicePolicy } from "../../planning/policy.js";
import type { SolverConfig } from "../../planning/solver.js";
import { countRefusal, preferring, tileSizeRefusal } from "../shared/constants.js";

const VECTOR = 4;
const VECTOR_BYTES = 16;

/**
 * Tiles from large to small. A workgroup computes `rows * threadsY` by `4 * vectors * threadsX`; `unroll` vectors of the
 * depth, 1 where absent, are written out.
 */
const WORKGROUP_TILES: readonly SolverConfig[] = [
  { threadsX: 16, threadsY: 16, rows: 8, vectors: 2, tileDepth: 8 },
  { threadsX: 16, threadsY: 8, rows: 8, vectors: 1, tileDepth: 16 },
  { threadsX: 16, threadsY: 16, rows: 4, vectors: 1, tileDepth: 16 },
  { threadsX: 8, threadsY: 8, rows: 4, vectors: 1, tileDepth: 8 },
];

export const tileRows = ({ rows, threadsY }: SolverConfig): number => rows * threadsY;
export const tileColumns = ({ vectors, threadsX }: SolverConfig): number => VECTOR * vectors * threadsX;

/** Sums of a thread. */
export const tileSums = ({ rows, vectors }: SolverConfig): number => VECTOR * rows * vectors;

/** Tiles that a matrix takes. */
export function tileCount(tile: SolverConfig, rows: number, columns: number): number {
  return Math.ceil(rows / tileRows(tile)) * Math.ceil(columns / tileColumns(tile));
}

/** The same results and fewer barriers; or fewer turns of the inner loop, and more instructions to hold. */
function variantsOf(tile: SolverConfig): readonly SolverConfig[] {
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
): readonly SolverConfig[] {
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
export function tileRefusal(tile: SolverConfig, { limits }: Capabilities, apart = 0): string | undefined {
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
export function tileConstants({ threadsX, threadsY, rows, vectors, tileDepth, unroll = 1 }: SolverConfig) {
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
