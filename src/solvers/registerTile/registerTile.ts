/**
 * Register tiles: the convolution is a matrix product whose threads load from global memory into registers, without
 * workgroup memory. Here: forward pass and input gradient of any problem.
 *
 *   C[m, n] = sum over k of A[m, k] * B[k, n]
 *
 *   forward          M output channels, N output positions of the batch, K (tap, input channel)
 *   input gradient   M input channels, N input positions, phase by phase, K (tap, output channel)
 *   weight gradient  M output channels, N (input channel, tap), K output positions of the batch
 *
 *                       thread
 *                   0 1 2 3 .. 0 1 2 3 ..        N: neighbouring threads hold neighbours, so their loads fall together
 *                  +----------+----------+
 *   mPerThread = 2 | #        | #        |       a workgroup: threads * nPerThread along N
 *                  | #        | #        |       thread 1 holds mPerThread * nPerThread sums
 *                  +----------+----------+
 *                     nPerThread = 2
 *
 * For each k a thread loads mPerThread weights and nPerThread sources, and does mPerThread * nPerThread multiply-adds.
 */
import kernel from "../../../shaders/register_tile/register_tile.wgsl";
import type { ConvOperation } from "../../problem/operation.js";
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { cutWalk } from "../shared/blocks.js";
import {
  evenCounts,
  evenThreads,
  elementTypes,
  registerTileRefusal,
  unsharedRefusal,
  vectorResults,
} from "../shared/constants.js";
import { laneCost } from "../shared/laneCost.js";
import { pixelConstants, pixelUniforms, sourceTypes } from "../shared/pixels.js";
import { describeGather, type Gather, meanK, phaseUniforms } from "../shared/gather.js";
import { fittingRegisters } from "../shared/registers.js";
import { neighbouringSplits } from "../shared/splits.js";
import { blocksOf, resultSplitK, resultSplitKRefusal, resultSums } from "../passes/sumSplits.js";

export interface RegisterTileConfig {
  /** Threads of a workgroup, at most; all of them along N. More are fewer, larger workgroups. */
  readonly threads: number;
  /** M that a thread computes. More use each source more often; each takes nPerThread registers, and a load for each k. */
  readonly mPerThread: number;
  /** N that a thread computes. More use each weight more often; each takes mPerThread registers, and a load for each k. */
  readonly nPerThread: number;
  /**
   * Workgroups that share a sum; as many as the device wants when absent. More keep a large device busy where there are
   * few tiles. Each writes a partial result, and a second dispatch adds them.
   */
  readonly splitK?: number;
}

const TILES: readonly RegisterTileConfig[] = [
  { threads: 64, mPerThread: 8, nPerThread: 8 },
  { threads: 64, mPerThread: 8, nPerThread: 4 },
  { threads: 64, mPerThread: 4, nPerThread: 4 },
  { threads: 64, mPerThread: 2, nPerThread: 4 },
  { threads: 64, mPerThread: 1, nPerThread: 4 },
];

/** On GPUs: few positions, where registers are few. */
const LOW_TILE = { threads: 64, mPerThread: 4, nPerThread: 2 };
/** Instructions of a GPU for a load, with its address and whether it exists. */
const LOAD_INSTRUCTIONS = 2;
/** Values by which a thread knows where it is. */
const PLACES = 8;

/** Values that a thread keeps: of each position its origin, base, place and whether it exists, and of each M a place. */
const valuesKept = ({ mPerThread, nPerThread }: RegisterTileConfig): number =>
  mPerThread * nPerThread + 6 * nPerThread + mPerThread + PLACES;

/** Tiles, and those that divide the result channels of a group evenly: each once. */
function withEven(tiles: readonly RegisterTileConfig[], channels: number): readonly RegisterTileConfig[] {
  const even = tiles.map((tile) => ({ ...tile, mPerThread: evenCounts(channels, [tile.mPerThread])[0] }));
  const isNew = ({ mPerThread, nPerThread }: RegisterTileConfig, index: number): boolean =>
    [...tiles, ...even.slice(0, index)].every((one) => one.mPerThread !== mPerThread || one.nPerThread !== nPerThread);
  return [...tiles, ...even.filter(isNew)];
}

function describeTiles({ problem }: ConvOperation, gather: Gather, config: RegisterTileConfig) {
  const { threads, mPerThread, nPerThread } = config;
  const tilesM = Math.ceil(gather.resultChannels / mPerThread);
  const workgroupThreads = evenThreads(Math.ceil(gather.n / nPerThread), threads);
  const tilesN = Math.ceil(gather.n / (workgroupThreads * nPerThread));
  return { workgroupThreads, tilesM, tilesN, tasksPerSplit: gather.phaseCount * problem.groups * tilesM * tilesN };
}

/** The same tile with other splits, where the device wants K split. */
function splitVariants(
  operation: ConvOperation,
  gather: Gather,
  capabilities: Capabilities,
  tile: RegisterTileConfig,
): readonly RegisterTileConfig[] {
  const { tasksPerSplit: tasks } = describeTiles(operation, gather, tile);
  const splitK = resultSplitK(operation, { tasks, k: gather.k }, capabilities);
  return splitK > 1 ? neighbouringSplits(splitK).map((other) => ({ ...tile, splitK: other })) : [];
}

export const registerTile: Solver<RegisterTileConfig> = {
  name: "register-tile",
  directions: ["forward", "inputGradient"],
  readsPixels: true,
  knobs: { threads: true, mPerThread: true, nPerThread: true, splitK: false },

  configs(operation, capabilities) {
    const gather = describeGather(operation);
    const { n, phaseCount, resultChannels } = gather;
    const fitting = TILES.filter(({ mPerThread }) => mPerThread < 2 * resultChannels);
    const tilesOf = ({ mPerThread }: RegisterTileConfig): number =>
      phaseCount * operation.problem.groups * Math.ceil(resultChannels / mPerThread);
    const threadsOf = (tile: RegisterTileConfig): number => Math.ceil(n / tile.nPerThread);
    const policy = policyOf(capabilities);
    const { busyThreads, loadCost } = policy;
    const tuned = (tiles: readonly RegisterTileConfig[]): readonly RegisterTileConfig[] => [
      ...tiles,
      ...splitVariants(operation, gather, capabilities, tiles[0]),
    ];
    if (loadCost === undefined) {
      // Instructions for a useful multiply-add, and the part of the device that waits.
      const costOnGpu = (tile: RegisterTileConfig): number => {
        const { mPerThread: m, nPerThread } = tile;
        const instructions = m * nPerThread + LOAD_INSTRUCTIONS * (m + nPerThread);
        const rows = Math.ceil(resultChannels / m);
        return (rows * instructions * Math.max(1, busyThreads / (tilesOf(tile) * threadsOf(tile)))) / nPerThread;
      };
      const all = withEven([...fitting, LOW_TILE], resultChannels);
      const byCost = [...all].sort((one, other) => costOnGpu(one) - costOnGpu(other));
      // AMD's compilers place positions one after the other, and hold fewer: what counts is where others spill.
      const held = fittingRegisters(byCost, valuesKept, policy.device);
      return tuned([...held, ...byCost.filter((tile) => !held.includes(tile))]);
    }
    const costOf = (tile: RegisterTileConfig): number => {
      const sizes = { multiplyAdds: tile.mPerThread * tile.nPerThread, loads: tile.mPerThread + tile.nPerThread };
      return laneCost({ workgroups: tilesOf(tile), threads: threadsOf(tile), ...sizes }, loadCost, capabilities);
    };
    return tuned([...fitting].sort((one, other) => costOf(one) - costOf(other)));
  },

  plan(operation, capabilities, config) {
    const { threads, mPerThread, nPerThread } = config;
    const tile = { mPerThread, nPerThread };
    const unable = unsharedRefusal(operation.problem) ?? registerTileRefusal(threads, tile, capabilities);
    if (unable !== undefined) return { refused: unable };
    const gather = describeGather(operation);
    const { workgroupThreads, tilesM, tilesN, tasksPerSplit } = describeTiles(operation, gather, config);
    const { k, sourceChannels: channels } = gather;
    const { splitK = resultSplitK(operation, { tasks: tasksPerSplit, k }, capabilities) } = config;
    const refused = resultSplitKRefusal(operation, splitK, capabilities);
    if (refused !== undefined) return { refused };
    const walk = cutWalk({ channels, taps: k / channels, splitK });
    const sums = resultSums(
      operation,
      gather,
      blocksOf(tasksPerSplit, walk, mPerThread * nPerThread),
      splitK,
      capabilities,
    );
    const tasks = sums.splitK * tasksPerSplit;
    const results = vectorResults(sums.types.Result, false);
    const step = dispatch(kernel, {
      constants: {
        ...gather.constants,
        ...pixelConstants(operation),
        THREADS: workgroupThreads,
        M_PER_THREAD: mPerThread,
        N_PER_THREAD: nPerThread,
        ...sums.constants,
        ...results.constants,
      },
      types: { ...elementTypes(operation), ...sourceTypes(operation), ...results.types },
      uniforms: {
        ...gather.uniforms,
        ...pixelUniforms(operation),
        ...phaseUniforms(gather),
        ...walk,
        blocksPerSplit: sums.perSplit,
        resultElements: sums.resultElements,
        groups: operation.problem.groups,
        tilesM,
        tilesN,
        tasks,
      },
      bindings: { ...gather.bindings, ...sums.bindings },
      workgroups: foldWorkgroups(tasks, capabilities),
      multiplyAdds: tasksPerSplit * workgroupThreads * mPerThread * nPerThread * meanK(operation, gather),
    });
    return {
      dispatches: [step, ...sums.reduction, ...borderDispatches(operation, capabilities)],
      scratchBytes: sums.scratchBytes,
    };
  },
};
