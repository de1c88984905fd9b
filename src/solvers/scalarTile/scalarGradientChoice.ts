/** Which scalar tiles are candidates for a weight gradient, by predicted time (planning/scalarModel.ts), packings included. */
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";
import { remembered } from "../../planning/remembered.js";
import { predictScalarClocks, SCALARS } from "../../planning/scalarModel.js";
import { DISPATCH_CLOCKS, FLOAT_BYTES, predictStream } from "../../planning/tileModel.js";
import { type ConvOperation, elementsOf, operandBytes } from "../../problem/operation.js";
import { bestSplit, LEAST_K, SPLITS, tensorsOf } from "../implicitGemm/tileChoice.js";
import { gradientMatrix } from "../passes/reducePartials.js";
import { BATCH_BLOCKS, BLOCK_TERMS } from "../shared/blocks.js";
import { divideEvenly, splitKRefusal } from "../shared/splits.js";
import { packedBytes, type Packing, packingThreads } from "./packPositions.js";
import {
  gradientLayout,
  type GradientLayout,
  type ScalarGradientConfig,
  unrollRefusal,
  walkOf,
} from "./scalarGradientLayout.js";

/** M, input channels and positions of a row: those that spill on no GPU whose compiler is at hand. */
const SHAPES: readonly (readonly [mPerThread: number, channelsPerThread: number, unroll: number])[] = [
  [4, 4, 2],
  [8, 1, 4],
  [8, 2, 4],
  [8, 4, 1],
  [8, 4, 2],
  [16, 1, 4],
  [16, 1, 7],
  [16, 2, 1],
  [16, 2, 2],
  [16, 4, 2],
  [24, 1, 4],
  [32, 1, 1],
  [32, 1, 2],
];
const THREADS = [64, 128, 32, 48];
/** Bytes of both packed tensors together, at most: the plans of other solvers take less. */
const MOST_PACKED_BYTES = 2 ** 28;

// Instructions, as the compilers of Intel's GPUs make them (docs/performance-log.md, entry 39): at the end of an output row; for a sum
// at the end of a block; of a thread that packs, and for each of its vectors.
const LINE_INSTRUCTIONS = 35;
const SUM_INSTRUCTIONS = 9;
const PACK_INSTRUCTIONS = 120;
const VECTOR_INSTRUCTIONS = 45;
const VECTOR = 4;
/** Loads that compute no places for taps, and test no edges; but for registers, walking along lines is like phases. */
const PLAIN = { taps: false, phases: true, edges: false, masked: false };

const packingsOf = ({ gradient, source }: GradientLayout): readonly Packing[] =>
  [gradient, source].flatMap((packing) => packing ?? []);

/** Clocks of the packings, and what the kernel then reads. */
function predictPackings(operation: ConvOperation, layout: GradientLayout, capabilities: Capabilities) {
  const { device } = policyOf(capabilities);
  const packings = packingsOf(layout);
  const packed = packings.reduce((sum, packing) => sum + packedBytes(operation, packing), 0);
  const cached = packings.length > 0 && packed <= device.cacheBytes;
  const clocks = packings.map((packing) => {
    const roles = packing.role === "y" && operation.masked ? (["y", "activated"] as const) : [packing.role];
    const read = operandBytes(operation) * elementsOf(operation, roles);
    const bytes = packedBytes(operation, packing);
    const instructions =
      PACK_INSTRUCTIONS + VECTOR_INSTRUCTIONS * Math.min(VECTOR, packing.tile / VECTOR) * roles.length;
    const stream = {
      threads: packingThreads(operation, packing),
      instructions,
      memoryBytes: read + (cached ? 0 : bytes),
      cachedBytes: cached ? bytes : 0,
    };
    return predictStream(stream, device) + DISPATCH_CLOCKS;
  });
  const inPlace = (["x", "y"] as const).filter((role) => !packings.some((packing) => packing.role === role));
  const operands = packed / FLOAT_BYTES + elementsOf(operation, inPlace);
  return { clocks: clocks.reduce((sum, one) => sum + one, 0), operands, packed, cached };
}

/**
 * Predicts the clocks of a tile, for a number of threads and parts of K; Infinity where not so many parts have anything to do, or too
 * little. Undefined where packed tensors would take too much memory, or rows are not of so many positions at a time.
 */
function predictor(operation: ConvOperation, tile: Omit<ScalarGradientConfig, "threads">, capabilities: Capabilities) {
  const { device } = policyOf(capabilities);
  const { problem, bias } = operation;
  const { mPerThread, channelsPerThread, unroll } = tile;
  const layout = gradientLayout(operation, tile);
  const { rows } = layout;
  const packing = predictPackings(operation, layout, capabilities);
  if (packing.packed > MOST_PACKED_BYTES || unrollRefusal(problem, unroll) !== undefined) return undefined;
  const product = {
    ...tensorsOf(operation),
    m: problem.outChannelsPerGroup,
    n: gradientMatrix(operation).n,
    copies: problem.groups,
    operands: packing.operands,
    operandBytes: FLOAT_BYTES,
    cached: packing.cached,
  };
  const loads = layout.gradient ? Math.ceil((unroll * mPerThread) / SCALARS) : unroll * Math.ceil(mPerThread / SCALARS);
  const scattered = loads - Math.ceil((unroll * mPerThread) / SCALARS);
  const traits = { placesPerThread: 1, width: channelsPerThread, spread: 1, ...PLAIN };
  const splitOf = (splitK: number) => {
    if (splitK > 1 && rows.rows * rows.columns < splitK * LEAST_K) return undefined;
    const walk = walkOf(rows, unroll, splitK);
    const { perSplit, splitK: parts } = divideEvenly(walk.blocks, splitK);
    if (parts !== splitK || perSplit > BATCH_BLOCKS) return undefined;
    const isBlocked = perSplit > 1;
    const ofLine = Math.min(1, unroll / walk.chunkChannels) * LINE_INSTRUCTIONS;
    const ofSums = isBlocked ? (SUM_INSTRUCTIONS * mPerThread * channelsPerThread * unroll) / BLOCK_TERMS : 0;
    const ofBias = bias ? unroll * channelsPerThread : 0;
    const besides = scattered * device.scalarLoad + ofLine + ofSums + ofBias;
    return {
      besides,
      split: { splitK, rows: (perSplit * walk.stepsPerBlock * walk.chunkChannels) / unroll, isBlocked },
    };
  };
  const splits = new Map<number, ReturnType<typeof splitOf>>();
  return (threads: number, splitK: number): number => {
    if (!splits.has(splitK)) splits.set(splitK, splitOf(splitK));
    const found = splits.get(splitK);
    if (!found) return Infinity;
    const work = { ...tile, ...traits, threads, besides: found.besides };
    return predictScalarClocks(product, work, found.split, device) + packing.clocks;
  };
}

/** Clocks that are predicted for a tile; undefined where devices compare tiles otherwise, or not all parts of K have work. */
export function predictScalarGradient(
  operation: ConvOperation,
  capabilities: Capabilities,
  { threads, splitK = 1, ...tile }: ScalarGradientConfig,
): number | undefined {
  if (policyOf(capabilities).loadCost !== undefined) return undefined;
  const clocks = predictor(operation, tile, capabilities)?.(threads, splitK) ?? Infinity;
  return clocks < Infinity ? clocks : undefined;
}

/** A tile with its best number of splits, and the clocks that are predicted for it. */
export interface RankedScalarGradient {
  readonly config: ScalarGradientConfig;
  readonly clocks: number;
}

/** Tiles from the shortest predicted time to the longest; none where they would take too much memory. */
export const rankedScalarGradients = remembered(rankTiles);

function rankTiles(operation: ConvOperation, capabilities: Capabilities): readonly RankedScalarGradient[] {
  const { elements } = gradientMatrix(operation);
  const able = SPLITS.filter((splitK) => splitKRefusal(splitK, elements, capabilities) === undefined);
  const ranked = SHAPES.flatMap(([mPerThread, channelsPerThread, unroll]) => {
    const tile = { mPerThread, channelsPerThread, unroll };
    const predict = predictor(operation, tile, capabilities);
    if (!predict) return [];
    return THREADS.map((threads): RankedScalarGradient => {
      const { split, clocks } = bestSplit(able, (splitK) => predict(threads, splitK));
      return { config: { threads, ...tile, ...(split !== undefined && { splitK: split }) }, clocks };
    });
  });
  return ranked.filter(({ clocks }) => clocks < Infinity).sort((a, b) => a.clocks - b.clocks);
}
