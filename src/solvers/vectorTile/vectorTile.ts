/**
 * Vector tiles: register tiles (registerTile.ts) whose threads load four neighbouring positions at once. Sources that do
 * not lie in vectors are laid out first (im2col; unfold.ts). Here: forward pass and input gradient.
 *
 *   C[m, n] = sum over k of A[m, k] * B[k, n]
 *
 *   M result channels, N result positions in vectors of 4, K (tap, source channel)
 *
 *   A, the weights: lane l loads k + l,          B, the sources: a vector of 4 N for each k
 *   and broadcasts it (broadcastLanes = 4)
 *                                                       vectorsPerThread = 2
 *           k  k+1 k+2 k+3                           +--------+    +--------+
 *         +---+---+---+---+                      k   | 4 of N |    | 4 of N |
 *      m  | 0 | 1 | 2 | 3 |                      k+1 | 4 of N |    | 4 of N |
 *     m+1 | 0 | 1 | 2 | 3 |  mPerThread = 2      k+2 | 4 of N |    | 4 of N |
 *         +---+---+---+---+                      k+3 | 4 of N |    | 4 of N |
 *                                                    +--------+    +--------+
 *
 * For broadcastLanes of K a lane loads mPerThread weights and broadcastLanes * vectorsPerThread vectors. It does
 * broadcastLanes * mPerThread * vectorsPerThread multiply-adds of vectors.
 */
import kernel from "../../../shaders/vector_tile/vector_tile.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";
import type { ConvOperation } from "../../problem/operation.js";
import { dispatch, foldWorkgroups, type Solver, type Steps, without } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { cutWalk } from "../shared/blocks.js";
import {
  elementTypes,
  evenThreads,
  registerTileRefusal,
  broadcastRefusal,
  tileSizeRefusal,
  unsharedRefusal,
  preferring,
  vectorResults,
} from "../shared/constants.js";
import { liesInVectors, meanK, slopesOf } from "../shared/gather.js";
import { blocksOf, resultSums } from "../passes/sumSplits.js";
import { unfoldDispatch, unfoldedBytes } from "./unfold.js";
import { describeVectors, VECTOR, type Vectors } from "./vectors.js";

export interface VectorTileConfig {
  /** Threads of a workgroup, at most; all of them along N. More are fewer, larger workgroups. */
  readonly threads: number;
  /** M that a thread computes. More use each source more often; each takes 4 * vectorsPerThread registers. */
  readonly mPerThread: number;
  /** Vectors of 4 N that a thread computes. More use each weight more often; each takes 4 * mPerThread registers. */
  readonly vectorsPerThread: number;
  /**
   * Lanes of a subgroup that load a weight each and broadcast it, a power of two; 1 is none. More save loads; steps for as
   * many channels are unrolled.
   */
  readonly broadcastLanes: number;
}

/** Tiles of a thread, from large to small. */
const TILES = [
  { mPerThread: 8, vectorsPerThread: 2 },
  { mPerThread: 8, vectorsPerThread: 1 },
  { mPerThread: 4, vectorsPerThread: 2 },
  { mPerThread: 4, vectorsPerThread: 1 },
];
const THREADS = 64;
/** Lanes that may broadcast, and multiply-adds that this may take, as a multiple of those needed. */
const MOST_BROADCAST = 8;
const MOST_WASTE = 1.125;
/** Lanes for one that has something to do, at most. */
const MOST_IDLE = 4;
/** Multiply-adds of vectors that are unrolled for a step: more than this fill registers and instruction caches. */
const MOST_UNROLLED = 64;

/** Lanes that broadcast: the most that every subgroup of the device has, and that waste few multiply-adds. */
function broadcastingLanes({ terms }: Vectors, { subgroupLanes }: Capabilities): number {
  let broadcastLanes = MOST_BROADCAST;
  while (broadcastLanes > subgroupLanes || broadcastLanes * Math.ceil(terms / broadcastLanes) > MOST_WASTE * terms)
    broadcastLanes /= 2;
  return broadcastLanes;
}

function refusal(config: VectorTileConfig, capabilities: Capabilities): string | undefined {
  const { threads, mPerThread, vectorsPerThread, broadcastLanes } = config;
  return (
    registerTileRefusal(threads, { mPerThread, vectorsPerThread }, capabilities) ??
    broadcastRefusal(config, capabilities) ??
    tileSizeRefusal(mPerThread * vectorsPerThread * VECTOR, mPerThread * vectorsPerThread * broadcastLanes)
  );
}

export const vectorTile: Solver<VectorTileConfig> = {
  name: "vector-tile",
  directions: ["forward", "inputGradient"],
  readsPixels: true,
  knobs: { threads: true, mPerThread: true, vectorsPerThread: true, broadcastLanes: true },

  configs(operation, capabilities) {
    const described = describeVectors(operation);
    const { gather, nVectors } = described;
    const { resultChannels, phaseCount } = gather;
    const broadcastLanes = broadcastingLanes(described, capabilities);
    const fitting = TILES.filter(({ mPerThread }) => mPerThread < 2 * resultChannels);
    const tiles = fitting.length > 0 ? fitting : TILES.slice(-1);
    const isPreferred = ({ mPerThread, vectorsPerThread }: (typeof TILES)[number]): boolean => {
      const tilesM = phaseCount * operation.problem.groups * Math.ceil(resultChannels / mPerThread);
      const subgroups = Math.ceil(nVectors / vectorsPerThread / broadcastLanes);
      const fillsLanes = vectorsPerThread === 1 || subgroups > 1;
      const enough = tilesM * subgroups * broadcastLanes >= policyOf(capabilities).busyThreads;
      return fillsLanes && enough && mPerThread * vectorsPerThread * broadcastLanes <= MOST_UNROLLED;
    };
    return preferring(tiles, isPreferred).map((tile) => ({ threads: THREADS, ...tile, broadcastLanes }));
  },

  discouraged(operation, capabilities) {
    const policy = policyOf(capabilities);
    if (!policy.vectorTilesPay) return `${policy.name} shares sources in workgroup memory better than it lays them out`;
    const vectors = describeVectors(operation);
    const { direct, phaseTaps, flat, nVectors } = vectors;
    const { resultChannels } = vectors.gather;
    const broadcastLanes = broadcastingLanes(vectors, capabilities);
    if (broadcastLanes === 1) {
      return "where lanes cannot broadcast weights, register tiles do as well";
    }
    if (nVectors * MOST_IDLE < broadcastLanes) return "too few positions leave most lanes that broadcast weights idle";
    const fewestOfTaps = flat ? policy.unfoldFewestFlat : policy.unfoldFewestChannels;
    if (direct || resultChannels >= (phaseTaps === 1 ? policy.unfoldFewestPointwise : fewestOfTaps)) return undefined;
    return `${String(resultChannels)} result channels a group use a source too seldom to lay it out`;
  },

  plan(operation, capabilities, config) {
    const vectors = describeVectors(operation);
    const refused = unsharedRefusal(operation.problem) ?? refusal(config, capabilities);
    if (refused !== undefined) return { refused };
    const unfold = vectors.direct ? [] : [unfoldDispatch(operation, vectors, capabilities)];
    const { dispatches, scratchBytes } = planTiles(operation, vectors, config, capabilities);
    return {
      dispatches: [...unfold, ...dispatches, ...borderDispatches(operation, capabilities)],
      scratchBytes: vectors.direct ? scratchBytes : { unfolded: unfoldedBytes(vectors), ...scratchBytes },
    };
  },
};

function planTiles(
  operation: ConvOperation,
  { gather, nVectors, sampleVectors, phaseTaps, direct, flat, terms }: Vectors,
  { threads, mPerThread, vectorsPerThread, broadcastLanes }: VectorTileConfig,
  capabilities: Capabilities,
): Steps {
  const { phases, phaseCount, phaseSize, phasePositions, resultChannels, constants, uniforms } = gather;
  const { groups } = operation.problem;
  const tilesM = Math.ceil(resultChannels / mPerThread);
  // Lanes that broadcast must all be there.
  const workgroupThreads = evenThreads(Math.ceil(nVectors / vectorsPerThread), threads, broadcastLanes);
  const tilesN = Math.ceil(nVectors / (workgroupThreads * vectorsPerThread));
  const tasksPerSplit = phaseCount * groups * tilesM * tilesN;
  const walk = cutWalk({ channels: terms, taps: flat ? 1 : phaseTaps, unit: broadcastLanes, splitK: 1 });
  const sums = resultSums(
    operation,
    gather,
    blocksOf(tasksPerSplit, walk, VECTOR * mPerThread * vectorsPerThread),
    1,
    capabilities,
  );
  const tasks = sums.splitK * tasksPerSplit;
  const termStride = sampleVectors * (direct || flat ? 1 : phaseCount * phaseTaps);
  const [outStride, channelStride, tapStride] = uniforms.weightStrides;
  const types = elementTypes(operation);
  const results = vectorResults(sums.types.Result, phaseCount === 1 && liesInVectors(gather, phasePositions));
  const step = dispatch(kernel, {
    constants: {
      ...without(constants, "SOURCE_STEP_DEPTH", "SOURCE_STEP_HEIGHT", "SOURCE_STEP_WIDTH", "PADDING_MODE"),
      ...(flat ? { KERNEL_DEPTH: 1, KERNEL_HEIGHT: 1, KERNEL_WIDTH: 1 } : {}),
      MASKED: direct && operation.masked,
      THREADS: workgroupThreads,
      M_PER_THREAD: mPerThread,
      VECTORS_PER_THREAD: vectorsPerThread,
      BROADCAST_LANES: broadcastLanes,
      SUBGROUPS: broadcastLanes > 1,
      TAIL: terms % broadcastLanes !== 0,
      ...sums.constants,
      ...results.constants,
    },
    types: { ...types, ...results.types, SourceVector: direct && types.Element === "f16" ? "vec4h" : "vec4f" },
    uniforms: {
      resultSize: uniforms.resultSize,
      padBegin: uniforms.padBegin,
      phases,
      phaseSize,
      phasePositions,
      sampleVectors,
      nVectors,
      resultChannels,
      sourceChannels: terms,
      groups,
      tilesN,
      tilesM,
      tasks,
      sourceStrides: [groups * terms * termStride, terms * termStride, termStride, sampleVectors],
      resultStrides: uniforms.resultStrides,
      weightStrides: [outStride, flat ? tapStride : channelStride, tapStride],
      weightGroupStride: uniforms.weightGroupStride,
      ...walk,
      blocksPerSplit: sums.perSplit,
      resultElements: sums.resultElements,
    },
    bindings: {
      ...gather.bindings,
      source: direct ? gather.bindings.source : "unfolded",
      activated: slopesOf(operation),
      activatedVectors: direct && operation.masked ? "activated" : "unused",
      ...sums.bindings,
    },
    workgroups: foldWorkgroups(tasks, capabilities),
    multiplyAdds:
      tasksPerSplit *
      workgroupThreads *
      mPerThread *
      vectorsPerThread *
      VECTOR *
      meanK(operation, gather) *
      ((broadcastLanes * Math.ceil(terms / broadcastLanes)) / terms),
  });
  return { dispatches: [step, ...sums.reduction], scratchBytes: sums.scratchBytes };
}
