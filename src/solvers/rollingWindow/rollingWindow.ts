/**
 * Rolling windows, for few channels a group (depthwise layers): a thread walks down some columns of the result, and keeps
 * the sources under its filter in registers from row to row. Here: forward pass and input gradient. The formula stands in
 * the kernel.
 *
 *   3x3 taps, stride 1, columns = 2: the window is 3 x 4 sources of each channel
 *
 *      +-+-+-+-+                             each step down a thread
 *      | | | | | \
 *      +-+-+-+-+  kept: moved up             loads stride * (width of the window) sources of each channel,
 *      | | | | | /
 *      +-+-+-+-+                             does columns * taps * channels * mPerThread multiply-adds,
 *      |#|#|#|#| <- loaded
 *      +-+-+-+-+                             and stores columns * mPerThread results
 *          v `rows` steps
 *
 * The weights of all taps are loaded once. They stay in registers, as the window does.
 */
import kernel from "../../../shaders/rolling_window/rolling_window.wgsl";
import { product } from "../../problem/geometry.js";
import type { ConvOperation } from "../../problem/operation.js";
import type { Triple } from "../../problem/problem.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import {
  evenCounts,
  gatherTypes,
  planeConstants,
  preferring,
  unsharedRefusal,
  vectorResults,
  wholeWorkgroups,
} from "../shared/constants.js";
import { describeFlipped, describeGather, type Gather, liesInVectors } from "../shared/gather.js";
import { alongChannels } from "../shared/lanes.js";
import { fittingRegisters, registersOf, type WindowShape } from "../shared/registers.js";
import { byLoads, configRefusal, overlapRefusal, sizeRefusal, type WalkedFilter, windowSize } from "./windows.js";

export interface RollingWindowConfig {
  /** Result channels that a thread computes. More use each source more often; each takes registers for its weights. */
  readonly mPerThread: number;
  /** Neighbouring results of a row that a thread computes. More share sources; each widens the window, in registers. */
  readonly columns: number;
  /** Rows that a thread walks down. More load the window's first rows and the weights less often; fewer threads are left. */
  readonly rows: number;
}

const THREADS = 64;
/** On a GPU threads that are neighbours along a row should load neighbours, and write whole vectors. */
const COLUMNS = { alongRows: [2, 4, 8], inVectors: [4, 2, 8], alongChannels: [4, 2, 8] };
const ROWS = [64, 32, 16, 8, 4];
const MOST_M = [4, 2, 1];
/** Source channels of a group whose windows a thread can hold. */
const MOST_SOURCE_CHANNELS = 4;

/** A pass as threads walk over it: an input gradient of a layer with a stride in phases, with the taps of one. */
interface Walk {
  readonly filter: WalkedFilter;
  /** From one result of a phase to the next, in results. */
  readonly resultStride: Triple;
  readonly phases: Triple;
  /** Results of a phase along each axis. */
  readonly phaseSize: Triple;
}

function describeWalk({ problem }: ConvOperation, { transposed, phases, phaseSize }: Gather): Walk {
  const { rank, kernel, stride, dilation } = problem;
  const [resultStride, walked]: [Triple, Triple] = transposed ? [stride, [1, 1, 1]] : [[1, 1, 1], stride];
  const along = (axis: number): number => Math.ceil(kernel[axis] / resultStride[axis]);
  return {
    filter: { rank, kernel: [along(0), along(1), along(2)], stride: walked, dilation },
    resultStride,
    phases,
    phaseSize,
  };
}

/** Threads of a pass. */
function threadsOf({ problem }: ConvOperation, gather: Gather, walk: Walk, config: RollingWindowConfig): number {
  const { mPerThread, columns, rows } = config;
  const { batch, groups } = problem;
  const blocks = product(walk.phases) * Math.ceil(walk.phaseSize[1] / rows) * Math.ceil(walk.phaseSize[2] / columns);
  return batch * groups * Math.ceil(gather.resultChannels / mPerThread) * blocks;
}

/** Multiply-adds of a pass, including those of taps that a phase lacks. */
function multiplyAddsOf(operation: ConvOperation, gather: Gather, walk: Walk, config: RollingWindowConfig): number {
  const rowBlocks = Math.ceil(walk.phaseSize[1] / config.rows);
  const threads = wholeWorkgroups(threadsOf(operation, gather, walk, config), THREADS);
  const resultsOfThread = (config.mPerThread * config.columns * walk.phaseSize[1]) / rowBlocks;
  return threads * resultsOfThread * gather.sourceChannels * product(walk.filter.kernel);
}

/** Whether each four results of a row lie in a vector. */
const inVectors = (gather: Gather, { resultStride, phaseSize }: Walk): boolean =>
  product(resultStride) === 1 && liesInVectors(gather, phaseSize[2]);

/** Sources that a thread loads for each row. */
function loadsForRow({ filter }: Walk, { sourceChannels }: Gather, columns: number): number {
  return sourceChannels * filter.stride[1] * windowSize(filter, columns).width;
}

/** Sources, weights and sums that a thread keeps at once. */
function valuesKept({ sourceChannels }: Gather, { filter }: Walk, { mPerThread, columns }: WindowShape): number {
  const { height, width } = windowSize(filter, columns);
  return sourceChannels * (height * width + mPerThread * product(filter.kernel)) + mPerThread * columns;
}

function refusal(
  { problem }: ConvOperation,
  gather: Gather,
  walk: Walk,
  config: RollingWindowConfig,
): string | undefined {
  const { sourceChannels } = gather;
  const { mPerThread, columns } = config;
  if (sourceChannels > MOST_SOURCE_CHANNELS) {
    return `${String(sourceChannels)} source channels a group; windows hold ${String(MOST_SOURCE_CHANNELS)} at most`;
  }
  const { rank, stride, dilation } = problem;
  if (walk.resultStride.some((a) => a > 1) && dilation.some((d) => d > 1)) {
    const [s, d] = [stride, dilation].map((triple) => triple.slice(-rank).join("x"));
    return `stride ${s} with dilation ${d}; windows take input gradients with one of the two`;
  }
  const { filter } = walk;
  const { height, width } = windowSize(filter, columns);
  const weights = product(filter.kernel) * sourceChannels;
  return (
    configRefusal(filter, config) ??
    // Strips take no input gradient with a stride.
    (product(walk.resultStride) > 1 ? undefined : overlapRefusal(filter)) ??
    sizeRefusal([
      { what: "sources in a window", size: sourceChannels * height * width, most: "window" },
      { what: "sources loaded for a row", size: loadsForRow(walk, gather, columns), most: "loads" },
      { what: "weights kept", size: mPerThread * weights, most: "weights" },
      { what: "unrolled steps", size: mPerThread * columns * weights, most: "steps" },
    ])
  );
}

export const rollingWindow: Solver<RollingWindowConfig> = {
  name: "rolling-window",
  directions: ["forward", "inputGradient"],
  knobs: { mPerThread: true, columns: true, rows: true },

  configs(operation, capabilities) {
    const gather = describeGather(operation);
    const walk = describeWalk(operation, gather);
    const even = evenCounts(gather.resultChannels, MOST_M);
    const along = alongChannels(operation, capabilities) ? "alongChannels" : "alongRows";
    const inOrder = COLUMNS[inVectors(gather, walk) ? "inVectors" : along];
    const shapes = inOrder
      .flatMap((columns) => even.map((mPerThread) => ({ mPerThread, columns })))
      .filter((shape) => refusal(operation, gather, walk, { ...shape, rows: 1 }) === undefined);
    // The plan of this one says why.
    if (shapes.length === 0) return [{ mPerThread: 1, columns: Math.min(...inOrder), rows: 1 }];
    const loadsOf = ({ columns }: WindowShape): number => loadsForRow(walk, gather, columns);
    const policy = policyOf(capabilities);
    const { busyThreads, loadCost } = policy;
    const fitting = fittingRegisters(shapes, (shape) => valuesKept(gather, walk, shape), policy);
    const sorted = loadCost === undefined ? fitting : byLoads(fitting, walk.phaseSize[2], loadsOf);
    const able = sorted.flatMap((shape) => ROWS.map((rows) => ({ ...shape, rows })));
    const threads = (config: RollingWindowConfig): number => threadsOf(operation, gather, walk, config);
    const enough = Math.min(busyThreads, Math.max(...able.map(threads)));
    return preferring(able, (config) => threads(config) >= enough);
  },

  discouraged(operation, capabilities) {
    if (operation.pixels) return "it reads no pixels, and others do";
    const gather = describeGather(operation);
    const { resultChannels } = gather;
    const policy = policyOf(capabilities);
    // With more, tiles in workgroup memory use each source more often.
    if (resultChannels > policy.rollingMostChannels)
      return `${String(resultChannels)} result channels a group do better in tiles`;
    const [config] = rollingWindow.configs(operation, capabilities);
    const walk = describeWalk(operation, gather);
    // Strips keep a row of the filter at a time. They take no input gradient with a stride.
    if (product(walk.resultStride) > 1 || refusal(operation, gather, walk, config) !== undefined) return undefined;
    const registers = Math.ceil(registersOf(valuesKept(gather, walk, config)));
    return registers > policy.threadRegisters
      ? `windows take about ${String(registers)} registers of a thread; the device has ${String(Math.floor(policy.threadRegisters))}`
      : undefined;
  },

  plan(operation, capabilities, config) {
    const { problem } = operation;
    const gather = describeGather(operation);
    const walk = describeWalk(operation, gather);
    const refused = unsharedRefusal(problem) ?? refusal(operation, gather, walk, config);
    if (refused !== undefined) return { refused };
    const { mPerThread, columns, rows } = config;
    const { resultStride, phases, filter, phaseSize } = walk;
    const flipped = describeFlipped(operation, gather);
    const { resultChannels, sourceChannels } = gather.uniforms;
    const threads = threadsOf(operation, gather, walk, config);
    const types = gatherTypes(operation);
    const vectors = vectorResults(types.Element, columns % 4 === 0 && inVectors(gather, walk));
    const step = dispatch(kernel, {
      constants: {
        ...planeConstants(problem),
        ...flipped.constants,
        STRIDE_HEIGHT: filter.stride[1],
        STRIDE_WIDTH: filter.stride[2],
        RESULT_STRIDE_HEIGHT: resultStride[1],
        RESULT_STRIDE_WIDTH: resultStride[2],
        PHASES_HEIGHT: phases[1],
        PHASES_WIDTH: phases[2],
        M_PER_THREAD: mPerThread,
        COLUMNS: columns,
        CHANNELS: sourceChannels,
        CONTIGUOUS: flipped.uniforms.sourceStrides[2] === 1,
        ALONG_CHANNELS: alongChannels(operation, capabilities),
        ...vectors.constants,
      },
      types: { ...types, ...vectors.types },
      uniforms: {
        ...flipped.uniforms,
        // Each phase has padding of its own.
        padBegin: product(resultStride) > 1 ? problem.padBegin : flipped.uniforms.padBegin,
        columnBlocks: Math.ceil(phaseSize[2] / columns),
        rowBlocks: Math.ceil(phaseSize[1] / rows),
        // More than there are would make the same run another plan.
        rows: Math.min(rows, phaseSize[1]),
        tilesM: Math.ceil(resultChannels / mPerThread),
        threads,
      },
      bindings: gather.bindings,
      workgroups: foldWorkgroups(Math.ceil(threads / THREADS), capabilities),
      multiplyAdds: multiplyAddsOf(operation, gather, walk, config),
    });
    const dispatches = [step, ...borderDispatches(operation, capabilities)];
    return { dispatches, scratchBytes: {} };
  },
};
