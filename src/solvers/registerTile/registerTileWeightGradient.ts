/** Register tiles (registerTile.ts): weight gradient of any problem. */
import kernel from "../../../shaders/register_tile/register_tile_weight_gradient.wgsl";
import type { ConvOperation } from "../../problem/operation.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { policyOf } from "../../planning/policy.js";
import type { Capabilities } from "../../planning/capabilities.js";
import { BATCH_BLOCKS, BLOCK_TERMS, inRegisters, stepsPerBlock } from "../shared/blocks.js";
import {
  evenThreads,
  elementTypes,
  registerTileRefusal,
  broadcastRefusal,
  tileSizeRefusal,
  unsharedRefusal,
} from "../shared/constants.js";
import {
  gradientBindings,
  gradientConstants,
  gradientMatrix,
  gradientUniforms,
  twoStages,
  weightSums,
} from "../passes/reducePartials.js";
import { chooseSplitK, divideEvenly, leastSplitK, neighbouringSplits, splitKRefusal } from "../shared/splits.js";

export interface RegisterTileGradientConfig {
  /** Threads of a workgroup, at most; all of them along N. More are fewer, larger workgroups. */
  readonly threads: number;
  /** M that a thread computes. More use each source more often; each takes nPerThread registers, and a load for each k. */
  readonly mPerThread: number;
  /** N that a thread computes. More use each gradient more often; each takes mPerThread registers, and a load for each k. */
  readonly nPerThread: number;
  /**
   * Lanes of a subgroup that load a gradient each and broadcast it, a power of two; 1, none, when absent. More save loads;
   * steps for as many positions are unrolled.
   */
  readonly broadcastLanes?: number;
  /**
   * Workgroups that share a sum; as many as the device wants when absent. More keep a large device busy where there are
   * few tiles. Each writes a partial result, and a second dispatch adds them.
   */
  readonly splitK?: number;
}

const TILES: readonly RegisterTileGradientConfig[] = [
  { threads: 64, mPerThread: 8, nPerThread: 8, broadcastLanes: 1 },
  { threads: 64, mPerThread: 8, nPerThread: 4, broadcastLanes: 1 },
  { threads: 64, mPerThread: 4, nPerThread: 4, broadcastLanes: 1 },
  { threads: 64, mPerThread: 2, nPerThread: 4, broadcastLanes: 1 },
  { threads: 64, mPerThread: 1, nPerThread: 4, broadcastLanes: 1 },
];

/** Where lanes broadcast gradients: positions are unrolled, so the tile is smaller. */
const BROADCAST_TILE = { threads: 64, mPerThread: 8, nPerThread: 4 };
/** Lanes that may broadcast, a position each. */
const MOST_BROADCAST = 4;
/** Lanes that may have no position, at the end of a row, as a part of its width. */
const MOST_WASTE = 0.1;
/** Shorter rows than this leave too little to do between two broadcasts. */
const SHORTEST_BROADCAST_ROW = 12;

/** Lanes that broadcast: the most that every subgroup of the device has, and that divide a row well. */
function broadcastingLanes(width: number, { subgroupLanes }: Capabilities): number {
  if (width < SHORTEST_BROADCAST_ROW) return 1;
  let broadcastLanes = MOST_BROADCAST;
  const waste = (): number => (broadcastLanes * Math.ceil(width / broadcastLanes)) / width - 1;
  while (broadcastLanes > 1 && (broadcastLanes > subgroupLanes || waste() > MOST_WASTE)) broadcastLanes /= 2;
  return broadcastLanes;
}

/** The tiles of a product, and the rows that their sums run over. */
function describeTiles(operation: ConvOperation, config: RegisterTileGradientConfig) {
  const { problem } = operation;
  const { threads, mPerThread, nPerThread, broadcastLanes = 1 } = config;
  const { n, elements } = gradientMatrix(operation);
  const tilesM = Math.ceil(problem.outChannelsPerGroup / mPerThread);
  // Lanes that broadcast must all be there.
  const workgroupThreads = evenThreads(Math.ceil(n / nPerThread), threads, broadcastLanes);
  const tilesN = Math.ceil(n / (workgroupThreads * nPerThread));
  const tasksPerSplit = problem.groups * tilesM * tilesN;

  const width = problem.output[2];
  // Positions of a segment are walked without a division. Rows longer than a block are cut.
  const segmentsPerRow = Math.ceil(width / BLOCK_TERMS);
  const segmentLength = Math.ceil(width / segmentsPerRow);
  const segments = problem.batch * problem.output[0] * problem.output[1] * segmentsPerRow;
  const segmentsPerBlock = stepsPerBlock(segmentLength);
  const mostK = BATCH_BLOCKS * segmentsPerBlock;
  const walked = { segments, segmentLength, segmentsPerRow, segmentsPerBlock, mostK };
  return { workgroupThreads, tilesM, tilesN, tasksPerSplit, elements, ...walked };
}

/** How many ways the device wants K split. */
function chosenSplitK(tiles: ReturnType<typeof describeTiles>, capabilities: Capabilities): number {
  const { tasksPerSplit: tasks, elements, segments: k, segmentLength, mostK } = tiles;
  const { busyGradientWorkgroups: busy, splitLeastKGradient } = policyOf(capabilities);
  const leastK = Math.max(1, Math.ceil(splitLeastKGradient / segmentLength));
  return chooseSplitK({ tasks, busy, elements, k, leastK, mostK }, capabilities);
}

/** The same tile with other splits, where the device wants K split. */
function splitVariants(
  operation: ConvOperation,
  capabilities: Capabilities,
  tile: RegisterTileGradientConfig,
): readonly RegisterTileGradientConfig[] {
  const splitK = chosenSplitK(describeTiles(operation, tile), capabilities);
  return splitK > 1 ? neighbouringSplits(splitK).map((other) => ({ ...tile, splitK: other })) : [];
}

export const registerTileWeightGradient: Solver<RegisterTileGradientConfig> = {
  name: "register-tile",
  directions: ["weightGradient"],
  knobs: { threads: true, mPerThread: true, nPerThread: true, broadcastLanes: false, splitK: false },

  configs(operation, capabilities) {
    const { problem } = operation;
    const broadcastLanes = broadcastingLanes(problem.output[2], capabilities);
    const tiles = broadcastLanes > 1 ? [{ ...BROADCAST_TILE, broadcastLanes }, ...TILES] : TILES;
    const fitting = tiles.filter(({ mPerThread }) => mPerThread < 2 * problem.outChannelsPerGroup);
    return [...fitting, ...splitVariants(operation, capabilities, fitting[0])];
  },

  plan(operation, capabilities, config) {
    const { threads, mPerThread, nPerThread, broadcastLanes = 1 } = config;
    const refused =
      unsharedRefusal(operation.problem) ??
      registerTileRefusal(threads, { mPerThread, nPerThread }, capabilities) ??
      broadcastRefusal({ threads, broadcastLanes }, capabilities) ??
      tileSizeRefusal(mPerThread * nPerThread, mPerThread * nPerThread * broadcastLanes);
    if (refused !== undefined) return { refused };
    const tiles = describeTiles(operation, config);
    const { workgroupThreads, tilesM, tilesN, tasksPerSplit } = tiles;
    const { segments, segmentLength, segmentsPerRow, segmentsPerBlock } = tiles;
    const tooMany = splitKRefusal(config.splitK ?? 1, tiles.elements, capabilities);
    if (tooMany !== undefined) return { refused: tooMany };
    const wanted =
      config.splitK === undefined
        ? chosenSplitK(tiles, capabilities)
        : Math.max(config.splitK, leastSplitK({ k: segments, ...tiles }, capabilities));
    const { perSplit: segmentsPerSplit, splitK } = divideEvenly(segments, wanted);

    const sums = weightSums(operation, splitK, capabilities);
    const tasks = splitK * tasksPerSplit;
    const first = dispatch(kernel, {
      constants: {
        ...gradientConstants(operation),
        RANK: 3,
        THREADS: workgroupThreads,
        M_PER_THREAD: mPerThread,
        N_PER_THREAD: nPerThread,
        BROADCAST_LANES: broadcastLanes,
        SUBGROUPS: broadcastLanes > 1,
        BLOCKED: segmentsPerSplit > segmentsPerBlock,
        IN_REGISTERS: inRegisters(mPerThread * nPerThread, capabilities),
      },
      types: elementTypes(operation),
      uniforms: {
        ...gradientUniforms(operation),
        tilesN,
        tilesM,
        tasks,
        segments,
        segmentsPerRow,
        segmentLength,
        segmentsPerSplit,
        segmentsPerBlock,
      },
      bindings: { ...gradientBindings(operation), partials: sums.target },
      workgroups: foldWorkgroups(tasks, capabilities),
      multiplyAdds:
        tasksPerSplit *
        workgroupThreads *
        mPerThread *
        nPerThread *
        segments *
        broadcastLanes *
        Math.ceil(segmentLength / broadcastLanes),
    });
    return twoStages(first, sums);
  },
};
