/** Rolling windows, for few channels a group (depthwise layers): forward pass, and input gradient at stride 1. */
import kernel from "../../shaders/rolling_window.wgsl";
import type { ConvOperation } from "../operation.js";
import { dispatch, foldWorkgroups, type Solver, type SolverConfig } from "../solver.js";
import { borderDispatches } from "./border.js";
import {
  activationConstants,
  elementTypes,
  enoughThreads,
  paddingConstant,
  preferring,
  unsharedRefusal,
} from "./constants.js";
import { describeGather } from "./gather.js";

const THREADS = 64;
/** Software devices load an element at a time; on a GPU neighbouring threads should load neighbours. */
const COLUMNS = { software: [8, 4, 2], gpu: [2, 4, 8] };
const LINES = [64, 32, 16, 8, 4];
const MOST_ROWS = [4, 2, 1];
/** With more result channels a group, tiles of positions use each weight more often. */
const MOST_CHANNELS = 8;
const MOST_SOURCE_CHANNELS = 4;
/** Sources that a thread keeps and that it loads for a line, and steps that are written out: compile time grows with them. */
const LARGEST_WINDOW = 96;
const MOST_LOADS = 32;
const MOST_WRITTEN_OUT = 320;

/** Threads of a pass: one a walk. */
function threadsOf(operation: ConvOperation, { rows, columns, lines }: SolverConfig): number {
  const { resultSize, resultChannels } = describeGather(operation).uniforms;
  const { batch, groups } = operation.problem;
  const blocks = Math.ceil(resultSize[1] / lines) * Math.ceil(resultSize[2] / columns);
  return batch * groups * Math.ceil(resultChannels / rows) * blocks;
}

function refusal(operation: ConvOperation, config: SolverConfig): string | undefined {
  const { problem, direction } = operation;
  const { rows, columns, lines } = config;
  for (const [name, value] of Object.entries({ rows, columns, lines })) {
    if (!(Number.isInteger(value) && value >= 1)) return `${name} is ${String(value)}; expected a positive integer`;
  }
  const { sourceChannels } = describeGather(operation);
  if (sourceChannels > MOST_SOURCE_CHANNELS) {
    return `${String(sourceChannels)} source channels a group; windows hold ${String(MOST_SOURCE_CHANNELS)} at most`;
  }
  if (problem.rank > 2) return `rank is ${String(problem.rank)}; windows roll over planes`;
  if (direction === "inputGradient" && problem.stride.some((s) => s !== 1)) {
    return `stride is ${problem.stride.slice(-problem.rank).join("x")}; windows take input gradients at stride 1`;
  }
  const { kernel, stride, dilation } = problem;
  const height = (kernel[1] - 1) * dilation[1] + 1;
  if (stride[1] >= height) {
    return `windows of ${String(height)} lines, ${String(stride[1])} apart, have none in common`;
  }
  const width = (columns - 1) * stride[2] + (kernel[2] - 1) * dilation[2] + 1;
  const sizes = [
    { what: "sources in a window", size: sourceChannels * height * width, most: LARGEST_WINDOW },
    { what: "sources loaded for a line", size: sourceChannels * stride[1] * width, most: MOST_LOADS },
    { what: "steps written out", size: rows * columns * problem.taps * sourceChannels, most: MOST_WRITTEN_OUT },
  ];
  const tooLarge = sizes.find(({ size, most }) => size > most);
  return tooLarge && `${String(tooLarge.size)} ${tooLarge.what}; at most ${String(tooLarge.most)}`;
}

export const rollingWindow: Solver = {
  name: "rolling-window",
  directions: ["forward", "inputGradient"],

  configs(operation, capabilities) {
    const { resultChannels } = describeGather(operation);
    const even = [...new Set(MOST_ROWS.map((most) => Math.ceil(resultChannels / Math.ceil(resultChannels / most))))];
    const shapes = COLUMNS[capabilities.software ? "software" : "gpu"].flatMap((columns) =>
      even.map((rows) => ({ rows, columns })),
    );
    const fitting = shapes.flatMap((shape) => LINES.map((lines) => ({ ...shape, lines })));
    const able = fitting.filter((config) => refusal(operation, config) === undefined);
    if (able.length === 0) return [{ rows: 1, columns: 1, lines: 1 }];
    return preferring(able, (config) => threadsOf(operation, config) >= enoughThreads(capabilities));
  },

  discouraged(operation) {
    if (operation.pixels) return "it reads no pixels, and others do";
    const { resultChannels } = describeGather(operation);
    return resultChannels > MOST_CHANNELS
      ? `${String(resultChannels)} result channels a group do better in tiles`
      : undefined;
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? refusal(operation, config);
    if (refused !== undefined) return { refused };
    const { rows, columns, lines } = config;
    const { problem } = operation;
    const { transposed, uniforms, bindings } = describeGather(operation);
    const { resultSize, sourceSize, resultChannels, sourceChannels } = uniforms;
    const walks = threadsOf(operation, config);
    // Flipped, the first tap is the last.
    const padBegin = uniforms.padBegin.map((begin, axis) => {
      return transposed ? (problem.kernel[axis] - 1) * problem.dilation[axis] - begin : begin;
    });
    const step = dispatch(kernel, {
      constants: {
        KERNEL_HEIGHT: problem.kernel[1],
        KERNEL_WIDTH: problem.kernel[2],
        STRIDE_HEIGHT: problem.stride[1],
        STRIDE_WIDTH: problem.stride[2],
        DILATION_HEIGHT: problem.dilation[1],
        DILATION_WIDTH: problem.dilation[2],
        ...activationConstants(operation),
        PADDING_MODE: transposed ? 0 : paddingConstant(problem),
        ROWS: rows,
        COLUMNS: columns,
        CHANNELS: sourceChannels,
        FLIPPED: transposed,
        HAS_BIAS: operation.bias,
        HAS_RESIDUAL: operation.residual,
        MASKED: operation.masked,
      },
      types: elementTypes(operation),
      uniforms: {
        sourceSize,
        resultSize,
        padBegin,
        columnBlocks: Math.ceil(resultSize[2] / columns),
        lineBlocks: Math.ceil(resultSize[1] / lines),
        lines,
        rowBlocks: Math.ceil(resultChannels / rows),
        resultChannels,
        groups: problem.groups,
        walks,
        sourceStrides: uniforms.sourceStrides,
        resultStrides: uniforms.resultStrides,
        weightStrides: uniforms.weightStrides,
        weightGroupStride: uniforms.weightGroupStride,
      },
      bindings,
      workgroups: foldWorkgroups(Math.ceil(walks / THREADS), capabilities),
    });
    const dispatches = [step, ...borderDispatches(operation, capabilities)];
    return { solver: "rolling-window", config, dispatches, scratchBytes: {} };
  },
};
