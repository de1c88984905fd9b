/** Rolling windows (rollingWindow.ts): weight gradient. */
import kernel from "../../../shaders/rolling_window/rolling_window_weight_gradient.wgsl";
import type { ConvOperation } from "../../problem/operation.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { inRegisters, MOST_TERMS } from "../shared/blocks.js";
import { evenCounts, elementTypes, paddingConstant, planeConstants, unsharedRefusal } from "../shared/constants.js";
import { gradientBindings, gradientUniforms, splitRows, twoStages, weightSums } from "../passes/reducePartials.js";
import { alongChannels } from "../shared/lanes.js";
import { fittingRegisters } from "../shared/registers.js";
import { byLoads, configRefusal, overlapRefusal, sizeRefusal, type WindowShape, windowSize } from "./windows.js";

export interface RollingWindowGradientConfig {
  /**
   * Output channels whose filters a thread computes, for one input channel. More use each source more often; sums are
   * registers.
   */
  readonly mPerThread: number;
  /** Neighbouring gradients of a row that a thread takes at a time. More share sources; each widens the window, in registers. */
  readonly columns: number;
}

const THREADS = 64;
const COLUMNS = [8, 4, 2];
const MOST_M = [4, 2, 1];
/** Input channels of a group whose windows, with a stride, a thread has room for beside many gradients. */
const MOST_STRIDED = 64;
/** Sums that a thread can hold. */
const MOST_SUMS = 64;

/** Values that a thread loads for each row of dy. */
function loadsForRow({ problem }: ConvOperation, { mPerThread, columns }: WindowShape): number {
  return problem.stride[1] * windowSize(problem, columns).width + mPerThread * columns;
}

function refusal({ problem }: ConvOperation, { mPerThread, columns }: RollingWindowGradientConfig): string | undefined {
  const { width, height } = windowSize(problem, columns);
  return (
    configRefusal(problem, { mPerThread, columns }) ??
    overlapRefusal(problem) ??
    sizeRefusal([
      { what: "sources in a window", size: height * width, most: "window" },
      { what: "values loaded for a row", size: width + mPerThread * columns, most: "loads" },
      { what: "unrolled steps", size: mPerThread * columns * problem.taps, most: "steps" },
    ]) ??
    (mPerThread * problem.taps > MOST_SUMS
      ? `${String(mPerThread * problem.taps)} sums; a thread holds at most ${String(MOST_SUMS)}`
      : undefined)
  );
}

export const rollingWindowWeightGradient: Solver<RollingWindowGradientConfig> = {
  name: "rolling-window",
  directions: ["weightGradient"],
  knobs: { mPerThread: true, columns: true },

  configs(operation, capabilities) {
    const even = evenCounts(operation.problem.outChannelsPerGroup, MOST_M);
    const all = COLUMNS.flatMap((columns) => even.map((mPerThread) => ({ mPerThread, columns })));
    const able = all.filter((config) => refusal(operation, config) === undefined);
    // The plan of this one says why.
    if (able.length === 0) return [{ mPerThread: 1, columns: Math.min(...COLUMNS) }];
    const { taps } = operation.problem;
    const valuesKept = ({ mPerThread, columns }: WindowShape): number => {
      const { height, width } = windowSize(operation.problem, columns);
      return height * width + mPerThread * (columns + taps);
    };
    const fitting = fittingRegisters(able, valuesKept, policyOf(capabilities));
    return byLoads(fitting, operation.problem.output[2], (shape) => loadsForRow(operation, shape)).map(
      ({ mPerThread, columns }) => ({ mPerThread, columns }),
    );
  },

  discouraged({ problem }, capabilities) {
    const { inChannelsPerGroup, outChannelsPerGroup, stride } = problem;
    const policy = policyOf(capabilities);
    // With more, tiles in workgroup memory use each source more often.
    const few =
      inChannelsPerGroup <= policy.rollingGradientMostIn && outChannelsPerGroup <= policy.rollingGradientMostOut;
    // Fewer use each of many gradients too seldom. With a stride, windows of more leave no room for gradients.
    const many =
      inChannelsPerGroup >= policy.rollingGradientManyIn &&
      (stride.every((s) => s === 1) || inChannelsPerGroup <= MOST_STRIDED);
    return few || many
      ? undefined
      : `${String(inChannelsPerGroup)} to ${String(outChannelsPerGroup)} channels a group do better in tiles`;
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? refusal(operation, config);
    if (refused !== undefined) return { refused };
    const { mPerThread, columns } = config;
    const { problem } = operation;
    const { groups, inChannelsPerGroup, outChannelsPerGroup } = problem;
    const tilesM = Math.ceil(outChannelsPerGroup / mPerThread);
    const pairs = groups * tilesM * inChannelsPerGroup;
    const walk = { columns, longest: MOST_TERMS, threads: pairs, threadsPerTask: THREADS };
    const split = splitRows(operation, walk, capabilities);
    const sums = weightSums(operation, split.splitK, capabilities);
    const threads = split.splitK * pairs;
    const first = dispatch(kernel, {
      constants: {
        ...planeConstants(problem),
        KERNEL_DEPTH: 1,
        PADDING_MODE: paddingConstant(problem),
        HAS_BIAS: operation.bias,
        MASKED: operation.masked,
        HALVES: false,
        M_PER_THREAD: mPerThread,
        COLUMNS: columns,
        ALONG_CHANNELS: alongChannels(operation, capabilities),
        SEGMENTED: split.segmentsPerRow > 1,
        BLOCKED: split.columnBlocks * split.rowsPerSplit > split.rowsPerBlock,
        IN_REGISTERS: inRegisters(mPerThread * problem.taps, capabilities),
      },
      types: elementTypes(operation),
      uniforms: {
        ...gradientUniforms(operation),
        tilesM,
        ...split,
        threads,
      },
      bindings: { ...gradientBindings(operation), partials: sums.target },
      workgroups: foldWorkgroups(Math.ceil(threads / THREADS), capabilities),
      multiplyAdds:
        pairs * mPerThread * problem.taps * split.rows * split.segmentsPerRow * split.columnBlocks * columns,
    });
    return twoStages(first, sums);
  },
};
