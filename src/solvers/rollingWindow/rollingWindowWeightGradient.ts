/** Rolling windows (rollingWindow.ts): weight gradient. */
import kernel from "../../../shaders/rolling_window/rolling_window_weight_gradient.wgsl";
import type { ConvOperation } from "../../problem/operation.js";
import { type DevicePolicy, policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { inRegisters, MOST_TERMS } from "../shared/blocks.js";
import { evenCounts, elementTypes, paddingConstant, planeConstants, unsharedRefusal } from "../shared/constants.js";
import { gradientBindings, gradientUniforms, splitRows, twoStages, weightSums } from "../passes/reducePartials.js";
import { alongChannels } from "../shared/lanes.js";
import { evenParts, fittingParts, type PartCosts, type WindowShape } from "../shared/registers.js";
import { byLoads, configRefusal, overlapRefusal, sizeRefusal, windowSize } from "./windows.js";

export interface RollingWindowGradientConfig {
  /**
   * Output channels whose filters a thread computes, for one input channel. More use each source more often; sums are
   * registers.
   */
  readonly mPerThread: number;
  /** Neighbouring gradients of a row that a thread takes at a time. More share sources; each widens the window, in registers. */
  readonly columns: number;
  /** Rows of a filter whose taps a thread computes; all when absent. Fewer take fewer registers, and load gradients more often. */
  readonly filterRows?: number;
  /** Likewise columns. */
  readonly filterColumns?: number;
}

const THREADS = 64;
const COLUMNS = [8, 4, 2];
const MOST_M = [4, 2, 1];
/** Input channels of a group whose windows, with a stride, a thread has room for beside many gradients. */
const MOST_STRIDED = 64;
/** Sums that a thread can hold. */
const MOST_SUMS = 64;
/** Values by which a thread knows where it is, and more for each output channel: places of what it reads and adds to. */
const PLACES = 2;
/** Instructions of a GPU for a value that is loaded, with its condition; and for a step down, whatever it loads. */
const [LOAD_INSTRUCTIONS, STEP_INSTRUCTIONS] = [5, 25];

/** What a thread has to do with a configuration. */
function describeStep({ problem }: ConvOperation, config: RollingWindowGradientConfig) {
  const { kernel: extent, stride, output } = problem;
  const { mPerThread, columns, filterRows = extent[1], filterColumns = extent[2] } = config;
  const held = { ...problem, kernel: [1, filterRows, filterColumns] } as const;
  const { height, width } = windowSize(held, columns);
  const loaded = Math.min(stride[1], height);
  const taps = mPerThread * filterRows * filterColumns;
  const rowBlocks = Math.ceil(extent[1] / filterRows);
  const tapBlocks = rowBlocks * Math.ceil(extent[2] / filterColumns);
  const fillings = Math.ceil((height - loaded) / loaded) / output[1];
  const loads = loaded * width * (1 + fillings) + mPerThread * columns;
  return { filterRows, filterColumns, height, width, loaded, taps, tapBlocks, loads };
}

/** Values that a thread loads for each row of dy. */
function loadsForRow({ problem }: ConvOperation, { mPerThread, columns }: WindowShape): number {
  return problem.stride[1] * windowSize(problem, columns).width + mPerThread * columns;
}

function refusal(operation: ConvOperation, config: RollingWindowGradientConfig): string | undefined {
  const { problem } = operation;
  const { mPerThread, columns } = config;
  const none = configRefusal(problem, config);
  if (none !== undefined) return none;
  const { height, width, taps } = describeStep(operation, config);
  return (
    overlapRefusal(problem) ??
    sizeRefusal([
      { what: "sources in a window", size: height * width, most: "window" },
      { what: "values loaded for a row", size: width + mPerThread * columns, most: "loads" },
      { what: "unrolled steps", size: columns * taps, most: "steps" },
    ]) ??
    (taps > MOST_SUMS ? `${String(taps)} sums; a thread holds at most ${String(MOST_SUMS)}` : undefined)
  );
}

/** Instructions of a GPU for a multiply-add that is needed. */
function instructionsOf(operation: ConvOperation, config: RollingWindowGradientConfig): number {
  const { columns } = config;
  const { taps: allTaps, output } = operation.problem;
  const { height, width, loaded, taps, tapBlocks, loads } = describeStep(operation, config);
  const moves = (height - loaded) * width;
  const issued = columns * taps + LOAD_INSTRUCTIONS * loads + moves + STEP_INSTRUCTIONS;
  const useful = (output[2] * allTaps) / (columns * Math.ceil(output[2] / columns) * tapBlocks);
  return issued / (useful * columns * config.mPerThread);
}

/** On a GPU: shapes with the part of the filter that suits registers. */
function inParts(
  operation: ConvOperation,
  shapes: readonly WindowShape[],
  policy: DevicePolicy,
): readonly RollingWindowGradientConfig[] {
  const [, rows, filterWidth] = operation.problem.kernel;
  const costs: PartCosts<RollingWindowGradientConfig> = {
    partsOf: (shape) =>
      evenParts(rows)
        .flatMap((filterRows) =>
          evenParts(filterWidth).map((filterColumns) => ({ ...shape, filterRows, filterColumns })),
        )
        .filter((config) => refusal(operation, config) === undefined),
    valuesOf: (config) => {
      const { height, width, taps } = describeStep(operation, config);
      return height * width + config.columns + taps + PLACES * (1 + config.mPerThread);
    },
    instructionsOf: (config) => instructionsOf(operation, config),
  };
  return fittingParts(shapes, costs, policy);
}

export const rollingWindowWeightGradient: Solver<RollingWindowGradientConfig> = {
  name: "rolling-window",
  directions: ["weightGradient"],
  knobs: { mPerThread: true, columns: true, filterRows: false, filterColumns: false },

  configs(operation, capabilities) {
    const { outChannelsPerGroup, output } = operation.problem;
    const policy = policyOf(capabilities);
    const even = evenCounts(outChannelsPerGroup, MOST_M);
    const shapes = COLUMNS.flatMap((columns) => even.map((mPerThread) => ({ mPerThread, columns })));
    const onGpu = policy.loadCost === undefined;
    const able = onGpu
      ? inParts(operation, shapes, policy)
      : byLoads(
          shapes.filter((config) => refusal(operation, config) === undefined),
          output[2],
          (shape) => loadsForRow(operation, shape),
        );
    // The plan of this one says why.
    return able.length > 0 ? able : [{ mPerThread: 1, columns: Math.min(...COLUMNS) }];
  },

  discouraged({ problem }, capabilities) {
    const { inChannelsPerGroup, outChannelsPerGroup, stride } = problem;
    const policy = policyOf(capabilities);
    // With more, tiles in workgroup memory use each source more often.
    const few =
      inChannelsPerGroup <= policy.rollingGradientMostIn && outChannelsPerGroup <= policy.rollingGradientMostOut;
    // Fewer output channels leave most of such a tile idle.
    const tooFew = policy.workgroupMemoryPays && outChannelsPerGroup < policy.gemmFewestChannels;
    // Fewer use each of many gradients too seldom. With a stride, windows of more leave no room for gradients.
    const many =
      inChannelsPerGroup >= policy.rollingGradientManyIn &&
      (stride.every((s) => s === 1) || inChannelsPerGroup <= MOST_STRIDED);
    return few || tooFew || many
      ? undefined
      : `${String(inChannelsPerGroup)} to ${String(outChannelsPerGroup)} channels a group do better in tiles`;
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? refusal(operation, config);
    if (refused !== undefined) return { refused };
    const { mPerThread, columns } = config;
    const { problem } = operation;
    const { groups, inChannelsPerGroup, outChannelsPerGroup } = problem;
    const { filterRows, filterColumns, loaded, taps, tapBlocks } = describeStep(operation, config);
    const tilesM = Math.ceil(outChannelsPerGroup / mPerThread);
    const tasks = groups * tilesM * inChannelsPerGroup * tapBlocks;
    const { loadCost } = policyOf(capabilities);
    // On a GPU neighbouring threads should load neighbours of a row.
    const longest = loadCost === undefined ? columns : MOST_TERMS;
    const split = splitRows(operation, { columns, longest, threads: tasks, threadsPerTask: THREADS }, capabilities);
    const sums = weightSums(operation, split.splitK, capabilities);
    const threads = split.splitK * tasks;
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
        FILTER_ROWS: filterRows,
        FILTER_COLUMNS: filterColumns,
        LOADED: loaded,
        ALONG_CHANNELS: alongChannels(operation, capabilities),
        CONTIGUOUS: problem.inputStrides[2] * problem.outputStrides[2] === 1,
        SEGMENTED: split.segmentsPerRow > 1,
        BLOCKED: split.columnBlocks * split.rowsPerSplit > split.rowsPerBlock,
        IN_REGISTERS: inRegisters(taps, capabilities),
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
      multiplyAdds: tasks * taps * split.rows * split.segmentsPerRow * split.columnBlocks * columns,
    });
    return twoStages(first, sums);
  },
};
