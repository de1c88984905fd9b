/** Rolling windows, for few channels a group (depthwise layers): weight gradient. */
import kernel from "../../../shaders/rolling_window/rolling_window_weight_gradient.wgsl";
import type { ConvOperation } from "../../problem/operation.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { inRegisters, MOST_TERMS } from "../shared/blocks.js";
import { dealtEvenly, elementTypes, paddingConstant, planeConstants, unsharedRefusal } from "../shared/constants.js";
import { gradientBindings, gradientUniforms, splitLines, twoStages, weightSums } from "../passes/reducePartials.js";
import { apartRefusal, byLoads, configRefusal, sizeRefusal, type WindowShape, windowSize } from "./windows.js";

export interface RollingWindowGradientConfig {
  /** Output channels whose filters a thread computes, for one input channel. More use each source more often. */
  readonly rows: number;
  /** Neighbouring gradients of a line that a thread takes at a time. More share the sources under their filters. */
  readonly columns: number;
}

const THREADS = 64;
const COLUMNS = [8, 4, 2];
const MOST_ROWS = [4, 2, 1];
/** Input channels of a group whose windows, with a stride, a thread has room for beside many gradients. */
const MOST_STRIDED = 64;
/** Sums that a thread can hold. */
const MOST_SUMS = 64;

/** Values that a thread loads for each line of dy. */
function loadsForLine({ problem }: ConvOperation, { rows, columns }: WindowShape): number {
  return problem.stride[1] * windowSize(problem, columns).width + rows * columns;
}

function refusal({ problem }: ConvOperation, { rows, columns }: RollingWindowGradientConfig): string | undefined {
  const { width, height } = windowSize(problem, columns);
  return (
    configRefusal(problem, { rows, columns }) ??
    apartRefusal(problem) ??
    sizeRefusal([
      { what: "sources in a window", size: height * width, most: "window" },
      { what: "values loaded for a line", size: width + rows * columns, most: "loads" },
      { what: "steps written out", size: rows * columns * problem.taps, most: "steps" },
    ]) ??
    (rows * problem.taps > MOST_SUMS
      ? `${String(rows * problem.taps)} sums; a thread holds at most ${String(MOST_SUMS)}`
      : undefined)
  );
}

export const rollingWindowWeightGradient: Solver<RollingWindowGradientConfig> = {
  name: "rolling-window",
  directions: ["weightGradient"],
  knobs: { rows: true, columns: true },

  configs(operation) {
    const even = dealtEvenly(operation.problem.outChannelsPerGroup, MOST_ROWS);
    const all = COLUMNS.flatMap((columns) => even.map((rows) => ({ rows, columns })));
    const able = all.filter((config) => refusal(operation, config) === undefined);
    // What is refused, with the reason.
    if (able.length === 0) return [{ rows: 1, columns: Math.min(...COLUMNS) }];
    return byLoads(able, operation.problem.output[2], (shape) => loadsForLine(operation, shape)).map(
      ({ rows, columns }) => ({ rows, columns }),
    );
  },

  discouraged({ problem }, capabilities) {
    const { inChannelsPerGroup, outChannelsPerGroup, stride } = problem;
    const policy = policyOf(capabilities);
    // With more, tiles in workgroup memory use each source more often.
    const few =
      inChannelsPerGroup <= policy.rollingGradientMostIn && outChannelsPerGroup <= policy.rollingGradientMostOut;
    // Fewer use each of many gradients too seldom, and with a stride more hold too little.
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
    const { rows, columns } = config;
    const { problem } = operation;
    const { groups, inChannelsPerGroup, outChannelsPerGroup } = problem;
    const rowBlocks = Math.ceil(outChannelsPerGroup / rows);
    const pairs = groups * rowBlocks * inChannelsPerGroup;
    const walk = { columns, longest: MOST_TERMS, threads: pairs, threadsPerTask: THREADS };
    const split = splitLines(operation, walk, capabilities);
    const sums = weightSums(operation, split.splits, capabilities);
    const walks = split.splits * pairs;
    const first = dispatch(kernel, {
      constants: {
        ...planeConstants(problem),
        KERNEL_DEPTH: 1,
        PADDING_MODE: paddingConstant(problem),
        HAS_BIAS: operation.bias,
        MASKED: operation.masked,
        ROWS: rows,
        COLUMNS: columns,
        SEGMENTED: split.segmentsPerLine > 1,
        BLOCKED: split.columnBlocks * split.linesPerSplit > split.linesPerBlock,
        IN_REGISTERS: inRegisters(rows * problem.taps, capabilities),
      },
      types: elementTypes(operation),
      uniforms: {
        ...gradientUniforms(operation),
        rowBlocks,
        ...split,
        walks,
      },
      bindings: { ...gradientBindings(operation), partials: sums.target },
      workgroups: foldWorkgroups(Math.ceil(walks / THREADS), capabilities),
      multiplyAdds: pairs * rows * problem.taps * split.lines * split.segmentsPerLine * split.columnBlocks * columns,
    });
    return twoStages(first, sums);
  },
};
