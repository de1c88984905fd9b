/**
 * Which tiles are candidates for a product, the default first. On GPUs they compete by predicted time (planning/tileModel.ts), with
 * the ways to split K and with loading ahead or not. Where workgroup memory does not pay, a few are left for the tuner.
 */
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";
import { predictClocks, type Product, type TileWork } from "../../planning/tileModel.js";
import { type ConvOperation, elementsOf, operandBytes, operandRoles, resultRoles } from "../../problem/operation.js";
import { preferring } from "../shared/constants.js";
import { neighbouringSplits, partialBytes, splitKRefusal } from "../shared/splits.js";
import {
  FLOAT_BYTES,
  tileBytes,
  tileCount,
  type TileExtra,
  tileLoads,
  tileM,
  tileN,
  tileRefusal,
  type WorkgroupTile,
} from "./workgroupTile.js";

export interface SplitTile extends WorkgroupTile {
  /**
   * Workgroups that share a sum; as many as the device wants when absent. More keep a large device busy where there are
   * few tiles. Each writes a partial result, and a second dispatch adds them.
   */
  readonly splitK?: number;
}

/** What a kernel computes with a tile, and what it needs besides. */
export interface TiledProduct extends Omit<Product, "kTiles" | "kVectors"> {
  readonly k: number;
  /** The least K of a part that is worth its partial result. */
  readonly leastK: number;
  /** K in whole steps of so many. */
  readonly kIn: (step: number) => number;
  readonly extra: (tile: WorkgroupTile) => TileExtra;
  /** Instructions of the kernel for a vector that goes from global to workgroup memory, by the compilers of AMD's GPUs. */
  readonly loadInstructions: number;
  /** Whether the compiler holds all of these besides; false when absent. */
  readonly holdsLoads?: boolean;
  /** Whether M are positions, and N channels; false when absent. */
  readonly isTransposed?: boolean;
  /** Bytes that partial results of a split sum may take; as many as the device has when absent. */
  readonly mostPartialBytes?: number;
}

/** Elements of the tensors of an operation, and bytes of each. A weight gradient's bias counts as a weight of each filter. */
export function tensorsOf(operation: ConvOperation) {
  const bytes = operandBytes(operation);
  return {
    operands: elementsOf(operation, operandRoles(operation)),
    operandBytes: bytes,
    elements: elementsOf(operation, resultRoles(operation)),
    elementBytes: bytes,
  };
}

/** Tiles from large to small. */
const FEW_TILES: readonly WorkgroupTile[] = [
  { threadsN: 16, threadsM: 16, mPerThread: 8, vectorsPerThread: 2, tileK: 8 },
  { threadsN: 16, threadsM: 8, mPerThread: 8, vectorsPerThread: 1, tileK: 16 },
  { threadsN: 16, threadsM: 16, mPerThread: 4, vectorsPerThread: 1, tileK: 16 },
  { threadsN: 8, threadsM: 8, mPerThread: 4, vectorsPerThread: 1, tileK: 8 },
];

type Shape = readonly [threadsN: number, threadsM: number, mPerThread: number, vectorsPerThread: number];

/** Threads along N and M, and what each computes: tiles of 8 to 128 by 16 to 128. */
const SHAPES: readonly Shape[] = [
  [16, 16, 8, 2], // 128 x 128
  [16, 8, 8, 2], // 64 x 128
  [16, 16, 8, 1], // 128 x 64
  [16, 8, 8, 1], // 64 x 64
  [16, 16, 4, 1], // 64 x 64, twice the threads
  [16, 16, 6, 1], // 96 x 64
  [16, 8, 6, 1], // 48 x 64
  [16, 8, 4, 1], // 32 x 64
  [8, 16, 4, 1], // 64 x 32
  [8, 8, 8, 1], // 64 x 32, half the threads
  [16, 4, 6, 1], // 24 x 64
  [16, 4, 4, 1], // 16 x 64
  [16, 4, 2, 1], // 8 x 64, for 8 channels a group
  [18, 4, 2, 1], // 8 x 72, those of 3 x 3 taps
  [8, 8, 4, 1], // 32 x 32
  [8, 16, 6, 1], // 96 x 32
  [4, 16, 4, 1], // 64 x 16
  [4, 16, 6, 1], // 96 x 16
  [6, 16, 6, 1], // 96 x 24
  [6, 16, 3, 1], // 48 x 24
  [8, 8, 3, 1], // 24 x 32
  [8, 8, 2, 1], // 16 x 32
  [4, 16, 2, 1], // 32 x 16
  [10, 16, 8, 1], // 128 x 40, for planes of 14 x 14
  [10, 16, 4, 1], // 64 x 40
  [13, 16, 4, 1], // 64 x 52, for planes of 7 x 7
  [13, 8, 4, 1], // 32 x 52
  [13, 8, 2, 1], // 16 x 52
];
/** More of them, where positions are along M and channels along N. */
const TRANSPOSED_SHAPES: readonly Shape[] = [
  [24, 8, 8, 1], // 64 x 96
  [12, 16, 8, 1], // 128 x 48
  [32, 8, 5, 1], // 40 x 128, for planes of 14 x 14
  [16, 8, 5, 1], // 40 x 64
  [16, 8, 7, 1], // 56 x 64, for planes of 7 x 7
  [16, 4, 13, 1], // 52 x 64, half the threads
];
/** How much longer a number of splits may take than the best before, for more of them to be tried. */
const MOST_LONGER = 1.5;
/** K of a part below which splitting is not tried. */
export const LEAST_K = 64;
const TILE_KS = [8, 16, 32];
export const SPLITS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];
/** Tiles that a tuner measures. */
const MOST_CANDIDATES = 5;

const tilesOf = (shapes: readonly Shape[]): readonly WorkgroupTile[] =>
  shapes.flatMap(([threadsN, threadsM, mPerThread, vectorsPerThread]) =>
    TILE_KS.flatMap((tileK) =>
      [1, 0].map((ahead) => ({ threadsN, threadsM, mPerThread, vectorsPerThread, tileK, ahead })),
    ),
  );
const TILES = tilesOf(SHAPES);
const TRANSPOSED_TILES = [...TILES, ...tilesOf(TRANSPOSED_SHAPES)];

/** The product with K in whole tiles, and in whole vectors. */
const inTiles = (product: TiledProduct, tileK: number): Product => {
  return { ...product, kTiles: product.kIn(tileK) / tileK, kVectors: product.kIn(4) / 4 };
};

/** A tile with its best number of splits, and the clocks that the product is predicted to take. */
export interface RankedTile {
  readonly config: SplitTile;
  readonly clocks: number;
}

/** Tiles with the best number of splits for each, from the shortest predicted time to the longest. */
export function rankedTiles(product: TiledProduct, capabilities: Capabilities): readonly RankedTile[] {
  const { device } = policyOf(capabilities);
  const { elements, extra, isTransposed = false, mostPartialBytes = Infinity } = product;
  const isAble = (splitK: number): boolean =>
    splitK === 1 ||
    (partialBytes(splitK, elements) <= mostPartialBytes && splitKRefusal(splitK, elements, capabilities) === undefined);
  const splits = SPLITS.filter(isAble);
  const tiles = isTransposed ? TRANSPOSED_TILES : TILES;
  const able = tiles.filter((tile) => tileRefusal(tile, capabilities, extra(tile)) === undefined);
  const padded = new Map(TILE_KS.map((tileK) => [tileK, inTiles(product, tileK)]));
  const ranked = able.map((tile) => {
    const work = workOf(tile, product);
    const worthwhile = splits.filter((splitK) => splitK === 1 || product.k >= splitK * LEAST_K);
    const { split = 1, clocks } = bestSplit(worthwhile, (count) =>
      predictClocks(padded.get(tile.tileK) ?? inTiles(product, tile.tileK), work, count, device),
    );
    return { config: { ...tile, splitK: split }, clocks };
  });
  return ranked.sort((a, b) => a.clocks - b.clocks);
}

/**
 * The split with the shortest time, fewer parts first; undefined where none is possible. More are no better once they take much longer
 * than the best of those before.
 */
export function bestSplit<Split>(
  splits: readonly Split[],
  clocksOf: (split: Split) => number,
): { readonly split: Split | undefined; readonly clocks: number } {
  let best: { split: Split | undefined; clocks: number } = { split: undefined, clocks: Infinity };
  for (const split of splits) {
    const clocks = clocksOf(split);
    if (clocks < best.clocks) best = { split, clocks };
    if (clocks > MOST_LONGER * best.clocks) break;
  }
  return best;
}

function workOf(tile: WorkgroupTile, { extra: extraOf, loadInstructions, holdsLoads = false }: TiledProduct): TileWork {
  const extra = extraOf(tile);
  const { a, b } = tileLoads(tile);
  const { mPerThread, vectorsPerThread, tileK } = tile;
  return {
    mPerThread,
    vectorsPerThread,
    tileK,
    tileM: tileM(tile),
    tileN: tileN(tile),
    threads: tile.threadsN * tile.threadsM,
    vectorsLoaded: a + b,
    loadInstructions,
    ahead: tile.ahead === 1,
    holdsLoads,
    heldBytes: extra.heldBytes ?? FLOAT_BYTES,
    workgroupBytes: tileBytes(tile, extra),
  };
}

/** The same tile with fewer barriers, or with fewer iterations of the inner loop and more instructions. */
function variantsOf(tile: WorkgroupTile): readonly WorkgroupTile[] {
  const fewerBarriers = tile.vectorsPerThread > 1 ? [{ ...tile, tileK: 2 * tile.tileK }] : [];
  return [...fewerBarriers, { ...tile, unroll: tile.tileK / 4 }];
}

/** Clocks that a device takes for a product with a tile; undefined where devices compare tiles otherwise. */
export function predictTile(
  product: TiledProduct,
  capabilities: Capabilities,
  { splitK = 1, ...tile }: SplitTile,
): number | undefined {
  const { workgroupMemoryPays, device } = policyOf(capabilities);
  if (!workgroupMemoryPays) return undefined;
  const work = workOf(tile, product);
  return predictClocks(inTiles(product, tile.tileK), work, splitK, device);
}

/** The same tile with K split half as many ways, and twice as many. */
function splitVariants({ k, elements }: TiledProduct, capabilities: Capabilities, tile: SplitTile): SplitTile[] {
  return neighbouringSplits(tile.splitK ?? 1)
    .filter((splitK) => splitK * LEAST_K <= k)
    .filter((splitK) => splitKRefusal(splitK, elements, capabilities) === undefined)
    .map((splitK) => ({ ...tile, splitK }));
}

/**
 * Candidates for a product, the default first.
 *
 * @param isSplit where tiles are few: whether the device wants K split with this one
 */
export function tileCandidates(
  product: TiledProduct,
  capabilities: Capabilities,
  isSplit: (tile: WorkgroupTile) => boolean,
): readonly SplitTile[] {
  const policy = policyOf(capabilities);
  const { m, n, k, copies, leastK } = product;
  if (policy.workgroupMemoryPays) {
    const ranked = rankedTiles(product, capabilities)
      .slice(0, MOST_CANDIDATES)
      .map(({ config }) => config);
    if (ranked.length > 0) return [...ranked, ...splitVariants(product, capabilities, ranked[0])];
  }
  const [smallest] = FEW_TILES.slice(-1);
  const fitting = FEW_TILES.filter((tile) => tile === smallest || tileM(tile) < 2 * m);
  const workgroups = (tile: WorkgroupTile): number =>
    copies * Math.max(1, Math.floor(k / leastK)) * tileCount(tile, m, n);
  const tiles = preferring(fitting, (tile) => workgroups(tile) >= policy.busyTileWorkgroups);
  const all = [...tiles, ...variantsOf(tiles[0])];
  return [...all, ...all.filter(isSplit).map((tile) => ({ ...tile, splitK: 1 }))];
}
