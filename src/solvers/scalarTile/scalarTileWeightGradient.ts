/**
 * Scalar tiles (scalarTile.ts): weight gradient. No workgroup memory, no barrier.
 *
 *   dW[m, n] = sum over k of dy[m, k] * patches[k, n]
 *
 *   M output channels, N (tap, input channel), K output positions of the batch. N of a workgroup: threads * channelsPerThread
 *
 *   dy: packed, a row for unroll = 2 of K               input: each thread loads its own channels, at its own tap
 *
 *           k  k+1                                            thread  0    1    2   ..
 *         +---+---+                                                 +----+----+----+--
 *      m  |   |   |                                             k   |    |    |    |
 *     m+1 |   |   |  the same for all threads:                 k+1  |    |    |    |
 *     m+2 |   |   |  a load for the subgroup                        +----+----+----+--
 *     m+3 |   |   |                                                   channelsPerThread channels each
 *         +---+---+  mPerThread = 4
 *
 * For that both tensors are laid out with the channels of a position side by side, dy by tiles of M, and the input with its padding
 * (packPositions.ts): no tap then reads beyond an edge. Channels-last tensors are read where they lie, if they need nothing of it.
 */
import kernel from "../../../shaders/scalar_tile/scalar_tile_weight_gradient.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { weightGradientProduct } from "../implicitGemm/implicitGemmWeightGradient.js";
import { rankedTiles } from "../implicitGemm/tileChoice.js";
import { tileDiscouraged } from "../implicitGemm/workgroupTile.js";
import { gradientMatrix, weightSums } from "../passes/reducePartials.js";
import { BATCH_BLOCKS, MOST_TERMS } from "../shared/blocks.js";
import { registerTileRefusal, tileSizeRefusal, unsharedRefusal } from "../shared/constants.js";
import { chooseSplitK, divideEvenly, leastSplitK, splitKRefusal } from "../shared/splits.js";
import { packedBytes, packPositions } from "./packPositions.js";
import { predictScalarGradient, rankedScalarGradients } from "./scalarGradientChoice.js";
import {
  gradientLayout,
  gradientSteps,
  type ScalarGradientConfig,
  sourceSteps,
  unrollRefusal,
  walkOf,
} from "./scalarGradientLayout.js";

const VECTOR = 4;
const CHANNELS = [1, 2, VECTOR];

/** Tiles of software devices, for the tuner. */
const FEW_TILES: readonly ScalarGradientConfig[] = [{ threads: 64, mPerThread: 8, channelsPerThread: 2, unroll: 1 }];

/** Candidates that a tuner measures. */
const MOST_CANDIDATES = 3;

const isSoftware = (capabilities: Capabilities): boolean => policyOf(capabilities).loadCost !== undefined;

function refusal({ threads, mPerThread, channelsPerThread, unroll }: ScalarGradientConfig, capabilities: Capabilities) {
  if (mPerThread % VECTOR !== 0) return `mPerThread is ${String(mPerThread)}; expected a multiple of ${String(VECTOR)}`;
  if (!CHANNELS.includes(channelsPerThread)) {
    return `channelsPerThread is ${String(channelsPerThread)}; expected ${CHANNELS.join(" or ")}`;
  }
  return (
    registerTileRefusal(threads, { mPerThread, channelsPerThread }, capabilities) ??
    registerTileRefusal(threads, { unroll }, capabilities) ??
    tileSizeRefusal(mPerThread * channelsPerThread, mPerThread * channelsPerThread * unroll)
  );
}

export const scalarTileWeightGradient: Solver<ScalarGradientConfig> = {
  name: "scalar-tile",
  directions: ["weightGradient"],
  readsHalves: true,
  knobs: { threads: true, mPerThread: true, channelsPerThread: true, unroll: true, splitK: false },

  configs(operation, capabilities) {
    const ranked = isSoftware(capabilities) ? [] : rankedScalarGradients(operation, capabilities);
    return ranked.length > 0 ? ranked.slice(0, MOST_CANDIDATES).map(({ config }) => config) : FEW_TILES;
  },

  predictClocks: (operation, capabilities, config) => predictScalarGradient(operation, capabilities, config),

  discouraged(operation, capabilities) {
    const policy = policyOf(capabilities);
    if (isSoftware(capabilities))
      return `the device is ${policy.name}: lanes load the same gradient one after the other`;
    const few = tileDiscouraged(operation.problem.outChannelsPerGroup, policy);
    if (few !== undefined) return few;
    const best = rankedScalarGradients(operation, capabilities).at(0);
    if (!best) return "packed tensors would take too much memory";
    const other = rankedTiles(weightGradientProduct(operation, capabilities), capabilities).at(0)?.clocks ?? Infinity;
    if (best.clocks < other) return undefined;
    const clocks = (count: number): string => Math.round(count).toString();
    return `${clocks(best.clocks)} clocks are predicted, and ${clocks(other)} of implicit-gemm`;
  },

  plan(operation, capabilities, config) {
    const { problem, bias } = operation;
    const { threads, mPerThread, channelsPerThread, unroll } = config;
    const { n, elements } = gradientMatrix(operation);
    const refused =
      unsharedRefusal(problem) ??
      refusal(config, capabilities) ??
      unrollRefusal(problem, unroll) ??
      splitKRefusal(config.splitK ?? 1, elements, capabilities);
    if (refused !== undefined) return { refused };
    const { groups, taps, inChannelsPerGroup, outChannelsPerGroup } = problem;
    const channelPlaces = Math.ceil(inChannelsPerGroup / channelsPerThread);
    const nPlaces = channelPlaces * taps + (bias ? 1 : 0);
    const tilesM = Math.ceil(outChannelsPerGroup / mPerThread);
    const tilesN = Math.ceil(nPlaces / threads);
    const tasksPerSplit = groups * tilesM * tilesN;

    const layout = gradientLayout(operation, config);
    const { rows, gradient, source } = layout;
    const k = rows.rows * rows.iterations * unroll;
    const { busyGradientWorkgroups: busy, splitLeastK: leastK } = policyOf(capabilities);
    const wanted =
      config.splitK ??
      chooseSplitK({ tasks: tasksPerSplit, busy, elements, k, leastK, mostK: MOST_TERMS }, capabilities);
    const walk = walkOf(rows, unroll, wanted);
    const least = leastSplitK({ k: walk.blocks, mostK: BATCH_BLOCKS, elements }, capabilities);
    const { perSplit, splitK } = divideEvenly(walk.blocks, Math.max(wanted, least));
    const sums = weightSums(operation, splitK, capabilities, true);
    const tasks = splitK * tasksPerSplit;
    const steps = {
      ...sourceSteps(problem, layout, channelsPerThread),
      ...gradientSteps(problem, layout, mPerThread),
    };
    const step = dispatch(kernel, {
      constants: {
        THREADS: threads,
        M_PER_THREAD: mPerThread,
        CHANNELS_PER_THREAD: channelsPerThread,
        UNROLL: unroll,
        RAGGED_M: outChannelsPerGroup % mPerThread !== 0,
        RAGGED_N: channelsPerThread > 1 && (bias || inChannelsPerGroup % channelsPerThread !== 0),
        BLOCKED: perSplit > 1,
        IN_PLACE: gradient === undefined,
        VECTORS: channelsPerThread > 1,
        HAS_BIAS: bias,
      },
      types: { Source: channelsPerThread > 1 ? `vec${String(channelsPerThread)}f` : "f32" },
      uniforms: {
        ...steps,
        iterationSteps: [unroll * steps.columnStep, unroll * steps.gradientStep],
        outputSize: taps === 1 ? [1, 1] : [problem.output[1], problem.output[0]],
        tapCounts: [problem.kernel[1], problem.kernel[2]],
        channelPlaces,
        nPlaces,
        n,
        inputChannels: inChannelsPerGroup,
        outputChannels: outChannelsPerGroup,
        groups,
        tilesM,
        tilesN,
        tasks,
        rowIterations: rows.iterations,
        chunks: walk.chunks,
        chunkIterations: walk.chunkChannels / unroll,
        steps: rows.rows * walk.chunks,
        stepsPerBlock: walk.stepsPerBlock,
        blocks: walk.blocks,
        blocksPerSplit: perSplit,
      },
      bindings: {
        gradients: gradient ? "y packed" : "y",
        sources: source ? "x packed" : "x",
        partials: sums.target,
      },
      workgroups: foldWorkgroups(tasks, capabilities),
      multiplyAdds: tasksPerSplit * threads * mPerThread * channelsPerThread * k,
    });
    const packings = [gradient, source].flatMap((packing) => packing ?? []);
    const packed = packings.map((packing) => [`${packing.role} packed`, packedBytes(operation, packing)] as const);
    return {
      dispatches: [
        ...packings.map((packing) => packPositions(operation, packing, capabilities)),
        step,
        ...sums.reduction,
      ],
      scratchBytes: { ...Object.fromEntries(packed), ...sums.scratchBytes },
    };
  },
};
