/** Strips of a row, for few result channels a group (depthwise layers): forward pass, and input gradient at stride 1. */
import kernel from "../../shaders/strip.wgsl";
import type { ConvOperation } from "../operation.js";
import { dispatch, foldWorkgroups, type Solver, type SolverConfig } from "../solver.js";
import { borderDispatches } from "./border.js";
import { activationConstants, elementTypes, paddingConstant, tapConstants, unsharedRefusal } from "./constants.js";
import { describeGather } from "./gather.js";

const THREADS = 64;
const CANDIDATES: readonly SolverConfig[] = [{ columns: 8 }, { columns: 4 }, { columns: 2 }];
/** Fewer threads than this leave a device idle: then shorter strips, with more threads, do better. */
const ENOUGH_THREADS = { software: 64, gpu: 16_384 };
/** Sources of a strip are registers, written out. */
const LONGEST_SPAN = 64;
/** With more, tiles of several result channels use each source more often. */
const MOST_CHANNELS = 2;

/** Threads of a pass: one a strip. */
function threadsOf(operation: ConvOperation, columns: number): number {
  const { resultSize, resultChannels } = describeGather(operation).uniforms;
  const { batch, groups } = operation.problem;
  return batch * groups * resultChannels * resultSize[0] * resultSize[1] * Math.ceil(resultSize[2] / columns);
}

function spanOf({ problem }: ConvOperation, columns: number): number {
  return (columns - 1) * problem.stride[2] + (problem.kernel[2] - 1) * problem.dilation[2] + 1;
}

function refusal(operation: ConvOperation, { columns }: SolverConfig): string | undefined {
  const { problem, direction } = operation;
  if (!(Number.isInteger(columns) && columns >= 1)) return `columns is ${String(columns)}; expected a positive integer`;
  if (direction === "inputGradient" && problem.stride.some((s) => s !== 1)) {
    return `stride is ${problem.stride.slice(-problem.rank).join("x")}; strips take input gradients at stride 1`;
  }
  const span = spanOf(operation, columns);
  return span > LONGEST_SPAN ? `a strip spans ${String(span)} sources; at most ${String(LONGEST_SPAN)}` : undefined;
}

export const strip: Solver = {
  name: "strip",
  directions: ["forward", "inputGradient"],

  configs(operation, { software }) {
    const fitting = CANDIDATES.filter((config) => refusal(operation, config) === undefined);
    if (fitting.length === 0) return [{ columns: 1 }];
    const enough = software ? ENOUGH_THREADS.software : ENOUGH_THREADS.gpu;
    const preferred = fitting.find(({ columns }) => threadsOf(operation, columns) >= enough) ?? fitting.slice(-1)[0];
    return [preferred, ...fitting.filter((config) => config !== preferred)];
  },

  discouraged(operation) {
    if (operation.pixels) return "it reads no pixels, and others do";
    const { resultChannels } = describeGather(operation);
    if (resultChannels > MOST_CHANNELS) return `${String(resultChannels)} result channels a group do better in tiles`;
    return operation.problem.kernel[2] === 1 ? "with one tap a row there is nothing to use twice" : undefined;
  },

  plan(operation, capabilities, config) {
    const refused = unsharedRefusal(operation.problem) ?? refusal(operation, config);
    if (refused !== undefined) return { refused };
    const { columns } = config;
    const { problem } = operation;
    const { transposed, uniforms, bindings } = describeGather(operation);
    const { resultSize, sourceSize, resultChannels, sourceChannels } = uniforms;
    const columnBlocks = Math.ceil(resultSize[2] / columns);
    const strips = threadsOf(operation, columns);
    // Flipped, the first tap is the last.
    const padBegin = uniforms.padBegin.map((begin, axis) => {
      return transposed ? (problem.kernel[axis] - 1) * problem.dilation[axis] - begin : begin;
    });
    const step = dispatch(kernel, {
      constants: {
        ...tapConstants(problem),
        ...activationConstants(operation),
        RANK: problem.rank,
        PADDING_MODE: transposed ? 0 : paddingConstant(problem),
        COLUMNS: columns,
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
        columnBlocks,
        resultChannels,
        sourceChannels,
        groups: problem.groups,
        strips,
        sourceStrides: uniforms.sourceStrides,
        resultStrides: uniforms.resultStrides,
        weightStrides: uniforms.weightStrides,
        weightGroupStride: uniforms.weightGroupStride,
      },
      bindings,
      workgroups: foldWorkgroups(Math.ceil(strips / THREADS), capabilities),
    });
    const dispatches = [step, ...borderDispatches(operation, capabilities)];
    return { solver: "strip", config, dispatches, scratchBytes: {} };
  },
};
