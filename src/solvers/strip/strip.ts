/**
 * Strips of a row, for few channels a group (depthwise layers): each source that is loaded serves all taps and results
 * of a thread that read it. Here: forward pass, and input gradient at stride 1. The formula stands in the kernel.
 *
 *   3 taps, stride 1, columns = 4:     for each channel and row of the filter a thread
 *
 *   a row of sources   +-+-+-+-+-+-+   loads a strip of (columns - 1) * stride + (taps - 1) * dilation + 1 sources once,
 *                      +-+-+-+-+-+-+
 *   taps of result 0    ^ ^ ^
 *   taps of result 3          ^ ^ ^    loads taps * mPerThread weights,
 *                      +-+-+-+-+
 *   a row of results   +-+-+-+-+       and does columns * taps * mPerThread multiply-adds
 */
import kernel from "../../../shaders/strip/strip.wgsl";
import type { ConvOperation } from "../../problem/operation.js";
import { type DevicePolicy, policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { cutWalk } from "../shared/blocks.js";
import {
  countRefusal,
  evenCounts,
  gatherTypes,
  tapConstants,
  unsharedRefusal,
  preferring,
  vectorResults,
  wholeWorkgroups,
} from "../shared/constants.js";
import { blocksOf, resultSums } from "../passes/sumSplits.js";
import { laneCost } from "../shared/laneCost.js";
import { describeFlipped, describeGather, liesInVectors } from "../shared/gather.js";
import { alongChannels } from "../shared/lanes.js";
import { evenParts, fittingParts, type PartCosts } from "../shared/registers.js";

export interface StripConfig {
  /** Result channels that a thread computes. More use each source more often; each takes `columns` registers for sums. */
  readonly mPerThread: number;
  /** Neighbouring results of a row that a thread computes. More share the sources of a strip; each takes mPerThread registers. */
  readonly columns: number;
  /** Taps of a row of the filter that a thread takes at a time; all when absent. Fewer shorten strips, and load sources more often. */
  readonly filterColumns?: number;
}

const THREADS = 64;
const COLUMNS = [8, 4, 2];
const MOST_M = [8, 4, 2, 1];
/** Sources of a strip are registers, and each row of the filter is unrolled. */
const LONGEST_SPAN = 64;
const MOST_UNROLLED = 256;
/** Sums that a thread holds well in registers. */
const MOST_SUMS = 32;
/** Values by which a thread knows where it is, and a weight. */
const PLACES = 8;
/** Instructions of a GPU for a source, with its condition, for a weight, for a channel and for a part of the filter. */
const [LOAD_INSTRUCTIONS, WEIGHT_INSTRUCTIONS, CHANNEL_INSTRUCTIONS, STEP_INSTRUCTIONS] = [4, 2, 8, 25];

/** Threads of a pass: one for each strip. */
function threadsOf(operation: ConvOperation, { mPerThread, columns }: StripConfig): number {
  const { resultSize, resultChannels } = describeGather(operation).uniforms;
  const { batch, groups } = operation.problem;
  const rows = resultSize[0] * resultSize[1];
  return batch * groups * Math.ceil(resultChannels / mPerThread) * rows * Math.ceil(resultSize[2] / columns);
}

function spanOf({ problem }: ConvOperation, { columns, filterColumns = problem.kernel[2] }: StripConfig): number {
  return (columns - 1) * problem.stride[2] + (filterColumns - 1) * problem.dilation[2] + 1;
}

/** From long to short, each with the result channels of a group divided evenly. */
function candidates(operation: ConvOperation): StripConfig[] {
  const { resultChannels } = describeGather(operation);
  const even = evenCounts(resultChannels, MOST_M);
  const all = COLUMNS.flatMap((columns) => even.map((mPerThread) => ({ mPerThread, columns })));
  return all.filter(({ mPerThread, columns }) => mPerThread * columns <= MOST_SUMS);
}

function refusal(operation: ConvOperation, config: StripConfig): string | undefined {
  const { problem, direction } = operation;
  const { mPerThread, columns, filterColumns = problem.kernel[2] } = config;
  const none = countRefusal({ ...config });
  if (none !== undefined) return none;
  const unrolled = mPerThread * columns * filterColumns;
  if (mPerThread * columns > 1 && unrolled > MOST_UNROLLED) {
    return `strips of ${String(mPerThread)} x ${String(columns)} unroll ${String(unrolled)} steps; at most ${String(MOST_UNROLLED)}`;
  }
  if (direction === "inputGradient" && problem.stride.some((s) => s !== 1)) {
    return `stride is ${problem.stride.slice(-problem.rank).join("x")}; strips take input gradients at stride 1`;
  }
  const span = spanOf(operation, config);
  return span > LONGEST_SPAN ? `a strip spans ${String(span)} sources; at most ${String(LONGEST_SPAN)}` : undefined;
}

/** Instructions of a GPU for a multiply-add that is needed. */
function instructionsOf(operation: ConvOperation, config: StripConfig): number {
  const { mPerThread, columns, filterColumns = operation.problem.kernel[2] } = config;
  const { resultSize, resultChannels, sourceChannels } = describeGather(operation).uniforms;
  const [, , width] = operation.problem.kernel;
  const parts = Math.ceil(width / filterColumns);
  const loads = LOAD_INSTRUCTIONS * spanOf(operation, config) + mPerThread * (WEIGHT_INSTRUCTIONS * filterColumns + 2);
  const steps = CHANNEL_INSTRUCTIONS + STEP_INSTRUCTIONS / sourceChannels;
  const issued = parts * (mPerThread * columns * filterColumns + loads + steps);
  const tiles = Math.ceil(resultSize[2] / columns) * Math.ceil(resultChannels / mPerThread);
  return (issued * tiles) / (resultSize[2] * resultChannels * width);
}

/** On a GPU: strips with as many taps at a time as suit registers. */
function fittingStrips(operation: ConvOperation, policy: DevicePolicy): readonly StripConfig[] {
  const [, , width] = operation.problem.kernel;
  const costs: PartCosts<StripConfig> = {
    partsOf: (shape) =>
      evenParts(width)
        .map((filterColumns) => ({ ...shape, filterColumns }))
        .filter((config) => refusal(operation, config) === undefined),
    valuesOf: (config) => spanOf(operation, config) + config.mPerThread * config.columns + PLACES,
    instructionsOf: (config) => instructionsOf(operation, config),
  };
  return fittingParts(candidates(operation), costs, policy);
}

export const strip: Solver<StripConfig> = {
  name: "strip",
  directions: ["forward", "inputGradient"],
  knobs: { mPerThread: true, columns: true, filterColumns: false },

  configs(operation, capabilities) {
    const policy = policyOf(capabilities);
    const { busyThreads, loadCost } = policy;
    if (loadCost === undefined) {
      const fitting = fittingStrips(operation, policy);
      if (fitting.length === 0) return [{ mPerThread: 1, columns: 1 }];
      return preferring(fitting, (config) => threadsOf(operation, config) >= busyThreads);
    }
    const able = candidates(operation).filter((config) => refusal(operation, config) === undefined);
    if (able.length === 0) return [{ mPerThread: 1, columns: 1 }];
    const [, , taps] = operation.problem.kernel;
    const costOf = (config: StripConfig): number => {
      const { mPerThread, columns } = config;
      const sizes = { multiplyAdds: mPerThread * columns, loads: mPerThread + spanOf(operation, config) / taps };
      return laneCost({ workgroups: 1, threads: threadsOf(operation, config), ...sizes }, loadCost, capabilities);
    };
    return able.sort((one, other) => costOf(one) - costOf(other));
  },

  discouraged(operation, capabilities) {
    if (operation.pixels) return "it reads no pixels, and others do";
    const { resultChannels, n, k } = describeGather(operation);
    const policy = policyOf(capabilities);
    const isPointwise = operation.problem.kernel[2] === 1;
    // Few positions leave most lanes of a tile idle; strips fill them with channels.
    if (n <= (isPointwise ? policy.stripFewPointwise : policy.stripFewPositions)) return undefined;
    // Tiles of positions use each weight more often.
    if (resultChannels > policy.stripMostChannels)
      return `${String(resultChannels)} result channels a group do better in tiles`;
    if (isPointwise) return "with one tap a row there is nothing to use twice";
    const [config] = strip.configs(operation, capabilities);
    const threads = threadsOf(operation, config);
    return threads < policy.stripFewestThreads && k >= policy.stripLongK
      ? `${String(threads)} threads would each sum ${String(k)} terms: tiles whose sums are split keep a GPU busy`
      : undefined;
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? refusal(operation, config);
    if (refused !== undefined) return { refused };
    const { problem } = operation;
    const { mPerThread, columns, filterColumns = problem.kernel[2] } = config;
    const gather = describeGather(operation);
    const flipped = describeFlipped(operation, gather);
    const { resultSize, resultChannels, sourceChannels } = gather.uniforms;
    const threadsPerSplit = threadsOf(operation, config);
    const [depth, height, width] = problem.kernel;
    const parts = depth * height * Math.ceil(width / filterColumns);
    const walk = cutWalk({ channels: sourceChannels, taps: parts, termsPerChannel: filterColumns, splitK: 1 });
    const sums = resultSums(operation, gather, blocksOf(threadsPerSplit, walk, mPerThread * columns), 1, capabilities);
    const threads = sums.splitK * threadsPerSplit;
    const vectors = vectorResults(sums.types.Result, columns % 4 === 0 && liesInVectors(gather, resultSize[2]));
    const step = dispatch(kernel, {
      constants: {
        ...tapConstants(problem),
        ...flipped.constants,
        RANK: problem.rank,
        M_PER_THREAD: mPerThread,
        COLUMNS: columns,
        FILTER_COLUMNS: filterColumns,
        CONTIGUOUS: flipped.uniforms.sourceStrides[2] === 1,
        CONTIGUOUS_TAPS: problem.weightStrides.tap === 1,
        ALONG_CHANNELS: alongChannels(operation, capabilities),
        ...sums.constants,
        ...vectors.constants,
      },
      types: { ...gatherTypes(operation), ...vectors.types },
      uniforms: {
        ...flipped.uniforms,
        sourceChannels,
        columnBlocks: Math.ceil(resultSize[2] / columns),
        tilesM: Math.ceil(resultChannels / mPerThread),
        threadsPerSplit,
        threads,
        ...walk,
        blocksPerSplit: sums.perSplit,
        resultElements: sums.resultElements,
      },
      bindings: { ...gather.bindings, ...sums.bindings },
      workgroups: foldWorkgroups(Math.ceil(threads / THREADS), capabilities),
      multiplyAdds:
        wholeWorkgroups(threadsPerSplit, THREADS) * mPerThread * columns * sourceChannels * parts * filterColumns,
    });
    const dispatches = [step, ...sums.reduction, ...borderDispatches(operation, capabilities)];
    return { dispatches, scratchBytes: sums.scratchBytes };
  },
};
