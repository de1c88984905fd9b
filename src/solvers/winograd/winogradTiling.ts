/** What both passes by Winograd's minimal filtering share: how a layer is cut into tiles, and which layers they take. */
import type { Capabilities } from "../../planning/capabilities.js";
import type { Knobs } from "../../planning/knobs.js";
import { type DevicePolicy, policyOf } from "../../planning/policy.js";
import type { ConvOperation } from "../../problem/operation.js";
import { type BindingSource, type Dispatch, type Steps, without } from "../../planning/solver.js";
import { type SplitTile } from "../implicitGemm/tileChoice.js";
import { TILE_KNOBS, type WorkgroupTile } from "../implicitGemm/workgroupTile.js";
import type { ScalarTileConfig } from "../scalarTile/scalarChoice.js";
import { countRefusal } from "../shared/constants.js";
import { describeGather, type Gather } from "../shared/gather.js";

export interface WinogradConfig extends Partial<SplitTile>, Partial<ScalarTileConfig> {
  /**
   * Results of a tile along each axis: F(2x2) or F(4x4). Larger ones take fewer multiply-adds for each result. They round
   * more, and fill the last tiles of a map worse.
   */
  readonly tile: number;
  /**
   * Tiles of the batch that are transformed and multiplied at a time; as many as scratch memory should hold when absent. More take
   * fewer dispatches; each takes scratch memory.
   */
  readonly chunkTiles?: number;
}

/** The tile of a product: in workgroup memory, or scalar. */
export type ProductConfig = Partial<SplitTile> | Partial<ScalarTileConfig>;

/** Whether a product is by scalar tiles: their own knobs tell. */
export const isScalar = (config: ProductConfig): config is Partial<ScalarTileConfig> =>
  "threads" in config || "placesPerThread" in config;

/**
 * Knobs of implicit GEMM's tile, or of a scalar tile, are those of the product. It is another solver's where none is set, and where
 * none is predicted to be the best.
 */
export const WINOGRAD_KNOBS: Knobs<WinogradConfig> = {
  tile: true,
  chunkTiles: false,
  splitK: false,
  ...(Object.fromEntries(Object.keys(TILE_KNOBS).map((name) => [name, false])) as Record<keyof WorkgroupTile, false>),
  threads: false,
  placesPerThread: false,
};

/** The knobs of the product that a configuration sets. */
export const productConfig = (config: WinogradConfig): ProductConfig => without(config, "tile", "chunkTiles");

export const THREADS = 64;
export const BYTES = 4;
/** By the filter's extent. F(2x2, 3x3) errs less than a direct sum, and is exact on small integers; F(4x4) saves more. */
const TILES: Readonly<Record<number, readonly number[]>> = { 3: [2, 4], 5: [2] };
/** Patches of 4 elements along an axis multiply by halves, those of 6 by sixths. */
const EXACT_PATCH = 4;
export const TOO_COARSE = "patches of 6x6 lose too much of float16; F(2x2, 3x3) takes it";
/** N of the product comes in whole vectors. */
const VECTOR = 4;
/** Tiles that a product takes at a time. Fewer cost as much. */
const LANES = 32;
/** Tiles of chunks come in as many, so that the tiles of products are full. */
const CHUNK_UNIT = 64;
/** Tiles of all chunks, against those that there are, where no chunk should be smaller. */
const FULL = 1.05;
/**
 * The most chunks: each takes dispatches. A weight gradient adds what they make one after the other, no more than blocks of a sum
 * (blocks.ts), with those of a chunk.
 */
const MOST_CHUNKS = { gathered: 1024, added: 96 };
/** The part of scratch memory that sources and sums have at least, where filters are large; and that parts of sums have at most. */
const LEAST_SHARE = 0.25;
const PARTIALS_SHARE = 0.125;

/** A pass in tiles. With a dilation, elements of a tile are dilated too, and tiles of all phases make up the grid. */
export interface Tiling {
  readonly gather: Gather;
  /** Tiles of a sample: rows, columns. */
  readonly grid: readonly [number, number];
  readonly phases: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Tiles of all samples. */
  readonly tiles: number;
  /** Likewise as a product of all of them computes them: with lanes that have none. */
  readonly lanes: number;
  /** Products of a patch. */
  readonly products: number;
  readonly sourceChannels: number;
  readonly resultChannels: number;
  /** Whether parts of sums lie beside the filters, as large as they are: a weight gradient's. */
  readonly sumsInParts: boolean;
}

/** Elements of a patch along an axis. */
export const patchOf = ({ kernel }: ConvOperation["problem"], tile: number): number => tile + kernel[2] - 1;

/** Tiles of a forward pass or an input gradient. */
export function describeTiling(operation: ConvOperation, tile: number): Tiling {
  const gather = describeGather(operation);
  const { batch, groups, dilation } = operation.problem;
  const size = gather.uniforms.resultSize;
  const phasesAlong = (axis: number): number => Math.min(dilation[axis], size[axis]);
  const tilesAlong = (axis: number): number => {
    const phases = phasesAlong(axis);
    return phases * Math.ceil(Math.ceil(size[axis] / phases) / tile);
  };
  const grid = [tilesAlong(1), tilesAlong(2)] as const;
  const tiles = batch * grid[0] * grid[1];
  return {
    gather,
    grid,
    phases: [phasesAlong(1), phasesAlong(2)],
    dilation: [dilation[1], dilation[2]],
    tiles,
    lanes: LANES * Math.ceil(tiles / LANES),
    products: patchOf(operation.problem, tile) ** 2,
    sourceChannels: groups * gather.sourceChannels,
    resultChannels: groups * gather.resultChannels,
    sumsInParts: false,
  };
}

/** Some tiles of the batch. Chunks take turns in the same scratch memory. */
export interface Chunk {
  readonly firstTile: number;
  readonly tiles: number;
}

export interface Chunks {
  /** Tiles of a chunk. All have as many, but for the last one. */
  readonly chunkTiles: number;
  readonly chunks: readonly Chunk[];
}

/** Bytes of scratch memory: of a tile in all channels, and of all filters. */
export const tileBytes = ({ products, sourceChannels, resultChannels }: Tiling): number =>
  BYTES * products * (sourceChannels + resultChannels);
export const filterBytes = ({ products, gather, resultChannels }: Tiling): number =>
  BYTES * products * resultChannels * gather.sourceChannels;

/** Bytes that a device gives to scratch memory, and of these to parts of sums. */
function scratchBudget(capabilities: Capabilities): number {
  const { maxStorageBufferBindingSize, maxBufferSize } = capabilities.limits;
  return Math.min(policyOf(capabilities).winogradScratchBytes, maxStorageBufferBindingSize, maxBufferSize);
}
export const mostPartialBytes = (capabilities: Capabilities): number => PARTIALS_SHARE * scratchBudget(capabilities);

/** The fewest tiles of a chunk. */
const leastTiles = ({ tiles, sumsInParts }: Tiling): number =>
  Math.ceil(tiles / MOST_CHUNKS[sumsInParts ? "added" : "gathered"]);

/** Tiles that scratch memory should hold at a time, with the filters. */
function affordableTiles(tiling: Tiling, capabilities: Capabilities): number {
  const most = scratchBudget(capabilities);
  const filters = filterBytes(tiling);
  const partials = tiling.sumsInParts ? Math.max(filters, mostPartialBytes(capabilities)) : 0;
  const mostOfTiles = tiling.sumsInParts ? Infinity : policyOf(capabilities).winogradTileBytes;
  return Math.min(Math.max(most - filters - partials, LEAST_SHARE * most), mostOfTiles) / tileBytes(tiling);
}

/** Tiles of a chunk. A few more chunks than scratch memory calls for may leave the last one fuller. */
function chunkTilesOf(
  tiling: Tiling,
  { chunkTiles }: Pick<WinogradConfig, "chunkTiles">,
  capabilities: Capabilities,
): number {
  const { tiles } = tiling;
  if (chunkTiles !== undefined) return Math.min(chunkTiles, tiles);
  const affordable = affordableTiles(tiling, capabilities);
  if (tiles <= affordable) return tiles;
  const units = Math.max(1, Math.floor(affordable / CHUNK_UNIT), Math.ceil(leastTiles(tiling) / CHUNK_UNIT));
  const fewest = Math.ceil(tiles / (units * CHUNK_UNIT));
  const sizes = Array.from({ length: fewest }, (_, i) => CHUNK_UNIT * Math.ceil(tiles / (fewest + i) / CHUNK_UNIT));
  const full = sizes.find((size) => size >= leastTiles(tiling) && size * Math.ceil(tiles / size) <= FULL * tiles);
  return full ?? sizes[0];
}

/** Cuts the tiles of a batch into chunks that scratch memory has room for. */
export function cutTiles(
  tiling: Tiling,
  config: Pick<WinogradConfig, "chunkTiles">,
  capabilities: Capabilities,
): Chunks {
  const { tiles } = tiling;
  const chunkTiles = chunkTilesOf(tiling, config, capabilities);
  const chunks = Array.from({ length: Math.ceil(tiles / chunkTiles) }, (_, i) => ({
    firstTile: i * chunkTiles,
    tiles: Math.min(chunkTiles, tiles - i * chunkTiles),
  }));
  return { chunkTiles, chunks };
}

/** Why tiles cannot be cut into such chunks; undefined when they can. */
export function chunkRefusal(tiling: Tiling, { chunkTiles }: WinogradConfig): string | undefined {
  if (chunkTiles === undefined) return undefined;
  const least = leastTiles(tiling);
  return (
    countRefusal({ chunkTiles }) ??
    (chunkTiles < least ? `chunkTiles is ${String(chunkTiles)}; expected at least ${String(least)}` : undefined)
  );
}

/** Tiles from one m or k of a product to the next, in whole vectors. */
export const inVectors = (tiles: number): number => VECTOR * Math.ceil(tiles / VECTOR);

/** Multiply-adds that the products of a layer need. Results beyond the edge of a tile do not count. */
export const neededMultiplyAdds = (
  { problem }: ConvOperation,
  { products }: Tiling,
  { tile }: WinogradConfig,
): number => (problem.multiplyAdds * products) / (tile ** 2 * problem.taps);

/** Constants of the kernels: which transforms. */
export const transformConstants = ({ problem }: ConvOperation, { tile }: WinogradConfig) => ({
  TILE: tile,
  KERNEL: problem.kernel[2],
});

/** Whether small integers come out exact. */
export const isExact = ({ tile }: WinogradConfig, { problem }: ConvOperation): boolean =>
  patchOf(problem, tile) === EXACT_PATCH;

/** Why Winograd's tiles cannot take a layer; undefined when they can. */
export function shapeRefusal({ problem, dtype }: ConvOperation, { tile }: WinogradConfig): string | undefined {
  const { rank, kernel, stride } = problem;
  if (rank !== 2 || kernel[1] !== kernel[2] || !(kernel[2] in TILES)) {
    return `the filter is ${kernel.slice(-rank).join("x")}; Winograd takes 3x3 and 5x5`;
  }
  const tiles = TILES[kernel[2]];
  if (!tiles.includes(tile)) return `tile is ${String(tile)}; expected ${tiles.join(" or ")}`;
  if (stride.some((s) => s !== 1)) return `stride is ${stride.slice(-rank).join("x")}; Winograd takes 1`;
  return dtype === "float16" && patchOf(problem, tile) !== EXACT_PATCH ? TOO_COARSE : undefined;
}

/** F that can take a layer: those with fewer products first, where there are enough tiles; of float16 the exact ones only. */
export function tileConfigs(
  operation: ConvOperation,
  tilingOf: (tile: number) => Tiling,
  { winogradFewestTiles }: DevicePolicy,
): readonly WinogradConfig[] {
  const able = (TILES[operation.problem.kernel[2]] as readonly number[] | undefined) ?? TILES[3];
  const cost = ({ tile }: WinogradConfig): number => {
    const { tiles, lanes, products } = tilingOf(tile);
    return tile > able[0] && tiles < winogradFewestTiles ? Infinity : lanes * products;
  };
  const configs = able.map((tile) => ({ tile })).sort((one, other) => cost(one) - cost(other));
  const exact = configs.filter((config) => isExact(config, operation));
  return operation.dtype === "float16" && exact.length > 0 ? exact : configs;
}

/** Why the transforms would cost more than they save, where no time is predicted; undefined when they would not. */
export function tilesDiscouraged(
  { problem: { batch, outputPositions, taps } }: ConvOperation,
  { tile }: WinogradConfig,
  tilingOf: (tile: number) => Tiling,
  filters: string,
  { winogradFewestTiles, winogradMostProducts }: DevicePolicy,
): string | undefined {
  const { tiles } = tilingOf(2);
  if (tiles < winogradFewestTiles) return `${String(tiles)} tiles are too few to pay for transforming the ${filters}`;
  const { products, lanes } = tilingOf(tile);
  const share = (products * lanes) / (batch * outputPositions * taps);
  return share > winogradMostProducts
    ? `its tiles, hardly filled, take ${share.toFixed(2)} times the multiply-adds; at most ${String(winogradMostProducts)}`
    : undefined;
}

/** The dispatches of a product planned for tensors of its own, on the scratch memory that takes their places. */
export function rebind(
  { dispatches }: Steps,
  places: Partial<Record<BindingSource, BindingSource>>,
): readonly Dispatch[] {
  return dispatches.map((step) => ({
    ...step,
    bindings: Object.fromEntries(
      Object.entries(step.bindings).map(([name, source]) => [name, places[source] ?? source] as const),
    ),
  }));
}

/** Uniform fields of the kernels that go tile by tile. */
export function gridUniforms({ grid, phases, dilation }: Tiling, { firstTile, tiles }: Chunk, tilePitch: number) {
  return { tiles, firstTile, tilePitch, tileGrid: grid, phases, dilation };
}
