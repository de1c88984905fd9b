/** Which scalar tiles are candidates, by predicted time (planning/scalarModel.ts). */
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";
import { predictScalarClocks, scalarLanes, type ScalarSplit } from "../../planning/scalarModel.js";
import type { ConvOperation } from "../../problem/operation.js";
import { isPointwise } from "../../problem/pointwise.js";
import { bestSplit, LEAST_K, SPLITS, tensorsOf, type TiledProduct } from "../implicitGemm/tileChoice.js";
import { tileDiscouraged } from "../implicitGemm/workgroupTile.js";
import { resultElements } from "../passes/sumSplits.js";
import { cutWalk } from "../shared/blocks.js";
import { type Gather, liesInVectors } from "../shared/gather.js";
import { divideEvenly, partialBytes, splitKRefusal } from "../shared/splits.js";

/** Knobs of a scalar tile; scalarTile.ts has a picture, and says what M, N and K are. */
export interface ScalarTileConfig {
  /** Threads of a workgroup, all of them along N. More read weights from caches less often; those beyond the last place idle. */
  readonly threads: number;
  /** M that a thread computes, a multiple of 4. More use each source more often; each takes registers for sums. */
  readonly mPerThread: number;
  /** Places along N that a thread computes: positions, or vectors of four. More use each weight more often, likewise. */
  readonly placesPerThread: number;
  /** Source channels of a row, which are loaded at once. More hide latencies and save counters; each takes registers. */
  readonly unroll: number;
  /**
   * Workgroups that share a sum, 1 when absent. More keep a large device busy where there are few tiles. Each writes a partial result,
   * and a second dispatch adds them.
   */
  readonly splitK?: number;
}

/** M, places and channels of a row: at most 64 weights of a row, which scalar registers hold. */
const SHAPES: readonly (readonly [mPerThread: number, placesPerThread: number, unroll: number])[] = [
  [4, 1, 4],
  [4, 2, 4],
  [4, 4, 2],
  [8, 1, 1],
  [8, 1, 2],
  [8, 1, 4],
  [8, 2, 2],
  [8, 2, 4],
  [16, 1, 2],
  [16, 1, 4],
  [16, 2, 2],
  [16, 2, 4],
  [32, 1, 1],
  [32, 1, 2],
];
/** Threads of a workgroup: a subgroup at least. */
const THREADS = [64, 128, 32, 16];
/** Sums of a thread beyond which no device has registers. */
const MOST_SUMS = 64;
const VECTOR = 4;

/** Positions of a place: four where these are neighbouring, aligned elements of source and result, in a plain 1x1 layer. */
export function placeWidth({ problem }: ConvOperation, gather: Gather): number {
  const vectors = problem.layout === "channels-first" && liesInVectors(gather, problem.inputPositions);
  return vectors && isPointwise(problem) ? VECTOR : 1;
}

/** Whether taps may read beyond the edge, where there are zeros. */
export function hasEdges({ problem, direction }: ConvOperation): boolean {
  if (direction === "inputGradient") return !isPointwise(problem);
  return problem.paddingMode === "zeros" && [...problem.padBegin, ...problem.padEnd].some((pad) => pad > 0);
}

/** How K is cut; undefined where not so many parts have anything to do, or too little. */
function splitOf({ k, sourceChannels }: Gather, unroll: number, splitK: number): ScalarSplit | undefined {
  if (splitK > 1 && k < splitK * LEAST_K) return undefined;
  const walk = cutWalk({ channels: sourceChannels, taps: k / sourceChannels, unit: unroll, splitK });
  const { perSplit, splitK: parts } = divideEvenly(walk.blocks, splitK);
  if (parts !== splitK) return undefined;
  const rows = (perSplit * walk.stepsPerBlock * walk.chunkChannels) / unroll;
  return { splitK, rows, isBlocked: perSplit > 1 };
}

/** What may be known of a product besides. */
export type KnownOfProduct = Pick<TiledProduct, "cached" | "mostPartialBytes">;

/** Predicts the clocks of a pass with a tile and a split of K. */
function predictor(
  operation: ConvOperation,
  gather: Gather,
  capabilities: Capabilities,
  { cached = false }: KnownOfProduct = {},
) {
  const { device } = policyOf(capabilities);
  const { problem, masked } = operation;
  const { phaseCount, transposed } = gather;
  const product = {
    m: gather.resultChannels,
    n: gather.n,
    copies: phaseCount * problem.groups,
    ...tensorsOf(operation),
    cached,
  };
  const loads = {
    width: placeWidth(operation, gather),
    masked,
    taps: !isPointwise(problem),
    phases: phaseCount > 1,
    edges: hasEdges(operation),
    spread: transposed ? 1 : problem.stride[2],
  };
  return (tile: ScalarTileConfig) => {
    const work = { ...tile, ...loads };
    return (split: ScalarSplit): number => predictScalarClocks(product, work, split, device);
  };
}

/** Clocks that are predicted for a tile; undefined where devices compare tiles otherwise, or not all parts of K have work. */
export function predictScalarTile(
  operation: ConvOperation,
  gather: Gather,
  capabilities: Capabilities,
  tile: ScalarTileConfig,
): number | undefined {
  if (policyOf(capabilities).loadCost !== undefined) return undefined;
  const split = splitOf(gather, tile.unroll, tile.splitK ?? 1);
  return split && predictor(operation, gather, capabilities)(tile)(split);
}

/** Why a pass should not be by scalar tiles, whichever tile it is; undefined where it may be. */
export function scalarUnfit(operation: ConvOperation, gather: Gather, capabilities: Capabilities): string | undefined {
  const policy = policyOf(capabilities);
  if (policy.loadCost !== undefined)
    return `the device is ${policy.name}: lanes load the same weight one after the other`;
  if (gather.uniforms.sourceStrides[2] !== 1) return "neighbouring positions are no neighbours in memory";
  if (operation.dtype === "float16" && !capabilities.shaderF16) return "float16 would be widened first";
  const { resultChannels, sourceChannels } = gather;
  // Where a load takes several instructions, scalars of three in four channels beat register tiles.
  const few =
    policy.device.accessInstructions > 1 && resultChannels / (VECTOR * Math.ceil(resultChannels / VECTOR)) >= 0.75;
  return tileDiscouraged(few ? sourceChannels : Math.min(resultChannels, sourceChannels), policy);
}

/** A tile with its best number of splits, and the clocks that are predicted for it. */
export interface RankedScalarTile {
  readonly config: ScalarTileConfig;
  readonly clocks: number;
}

/** Tiles from the shortest predicted time to the longest. */
export function rankedScalarTiles(
  operation: ConvOperation,
  gather: Gather,
  capabilities: Capabilities,
  known: KnownOfProduct = {},
): readonly RankedScalarTile[] {
  const { mostPartialBytes = Infinity } = known;
  const width = placeWidth(operation, gather);
  const elements = resultElements(operation);
  const predict = predictor(operation, gather, capabilities, known);
  const able = SPLITS.filter(
    (splitK) =>
      splitKRefusal(splitK, elements, capabilities) === undefined &&
      (splitK === 1 || partialBytes(splitK, elements) <= mostPartialBytes),
  );
  const counts = THREADS.filter((threads) => threads >= scalarLanes(policyOf(capabilities).device));
  const shapes = SHAPES.filter(([mPerThread, places]) => mPerThread * places * width <= MOST_SUMS);
  const ranked = shapes.flatMap(([mPerThread, placesPerThread, unroll]) => {
    const splits = able.flatMap((splitK) => splitOf(gather, unroll, splitK) ?? []);
    return counts.map((threads): RankedScalarTile => {
      const tile = { threads, mPerThread, placesPerThread, unroll };
      const { split, clocks } = bestSplit(splits, predict(tile));
      return { config: split ? { ...tile, splitK: split.splitK } : tile, clocks };
    });
  });
  return ranked.sort((a, b) => a.clocks - b.clocks);
}
