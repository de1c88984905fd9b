/**
 * Two-stage sums. A weight gradient sums over every output position of the batch, far more terms than it has
 * results; the terms are split among workgroups, each split writes a partial matrix to the workspace, and a
 * second dispatch adds the partials in a fixed order, so that the bits do not depend on timing.
 */
import kernel from "../../../shaders/passes/reduce_partials.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { policyOf } from "../../planning/policy.js";
import type { ConvOperation } from "../../problem/operation.js";
import {
  type BindingSource,
  type Dispatch,
  dispatch,
  foldWorkgroups,
  type Scratch,
  type Steps,
} from "../../planning/solver.js";
import { BATCH_BLOCKS, stepsPerBlock } from "../shared/blocks.js";
import { elementTypes, paddingConstant, strideList, tapConstants } from "../shared/constants.js";
import { chooseSplits, dealOut, partialBytes } from "../shared/splits.js";

const REDUCE_THREADS = 64;

/** The matrix a weight gradient computes: rows through all groups, a column a weight, perhaps one for the bias. */
export interface GradientMatrix {
  /** Output channels of all groups. */
  readonly rows: number;
  /** Weights of a filter. */
  readonly weightColumns: number;
  /** Weights of a filter, and 1 for the bias gradient where it is fused. */
  readonly columns: number;
  readonly elements: number;
}

export function gradientMatrix({ problem, bias }: ConvOperation): GradientMatrix {
  const weightColumns = problem.inChannelsPerGroup * problem.taps;
  const columns = weightColumns + (bias ? 1 : 0);
  return { rows: problem.outChannels, weightColumns, columns, elements: problem.outChannels * columns };
}

/** Constants of every weight gradient kernel. */
export function gradientConstants(operation: ConvOperation) {
  const { problem, bias, masked } = operation;
  return { ...tapConstants(problem), PADDING_MODE: paddingConstant(problem), HAS_BIAS: bias, MASKED: masked };
}

/** How kernels walk whose threads take `columns` positions of a line at a time. */
export interface LineWalk {
  readonly columns: number;
  /** Positions of a line that a thread walks at a stretch, at most: longer lines are cut into segments. */
  readonly longest: number;
  /** Threads of one split, and of a workgroup. */
  readonly threads: number;
  readonly threadsPerTask: number;
}

/** Output lines cut into segments. */
function cutLines({ problem: { batch, output } }: ConvOperation, { columns, longest }: LineWalk) {
  const blocks = Math.ceil(output[2] / columns);
  const columnBlocks = Math.ceil(blocks / Math.ceil((blocks * columns) / longest));
  return { lines: batch * output[0] * output[1], columnBlocks, segmentsPerLine: Math.ceil(blocks / columnBlocks) };
}

/** Output lines, or segments of them, dealt out to splits. */
function dealLines(
  operation: ConvOperation,
  { threads, threadsPerTask }: LineWalk,
  sum: { readonly depth: number; readonly positions: number; readonly mostDepth: number },
  capabilities: Capabilities,
) {
  const tasks = Math.ceil(threads / threadsPerTask);
  const { elements } = gradientMatrix(operation);
  const { busyGradientWorkgroups: busy, splitLeastKGradient } = policyOf(capabilities);
  const leastDepth = Math.ceil(splitLeastKGradient / sum.positions);
  return dealOut(sum.depth, chooseSplits({ tasks, busy, elements, leastDepth, ...sum }, capabilities));
}

/** For kernels whose threads walk along lines, segment after segment. */
export function splitSegments(operation: ConvOperation, walk: LineWalk, capabilities: Capabilities) {
  const { lines, columnBlocks, segmentsPerLine } = cutLines(operation, walk);
  const segments = lines * segmentsPerLine;
  const positions = Math.min(columnBlocks * walk.columns, operation.problem.output[2]);
  const segmentsPerBlock = stepsPerBlock(positions);
  const sum = { depth: segments, positions, mostDepth: BATCH_BLOCKS * segmentsPerBlock };
  const { perSplit: segmentsPerSplit, splits } = dealLines(operation, walk, sum, capabilities);
  return { columnBlocks, segments, segmentsPerLine, segmentsPerSplit, segmentsPerBlock, splits };
}

/** For kernels whose threads walk down lines, some columns at a time: a split takes lines, of long ones a segment. */
export function splitLines(operation: ConvOperation, walk: LineWalk, capabilities: Capabilities) {
  const { lines, columnBlocks, segmentsPerLine } = cutLines(operation, walk);
  const [, , width] = operation.problem.output;
  const linesPerBlock = stepsPerBlock(Math.min(walk.columns, width));
  const mostDepth = Math.max(1, Math.floor((BATCH_BLOCKS * linesPerBlock) / columnBlocks));
  const sum = { depth: lines, positions: Math.min(columnBlocks * walk.columns, width), mostDepth };
  const { perSplit: linesPerSplit, splits } = dealLines(operation, walk, sum, capabilities);
  return { columnBlocks, segmentsPerLine, lines, linesPerSplit, linesPerBlock, splits: splits * segmentsPerLine };
}

/** Uniform fields of every weight gradient kernel. */
export function gradientUniforms({ problem }: ConvOperation) {
  return {
    inputSize: problem.input,
    outputSize: problem.output,
    padBegin: problem.padBegin,
    groups: problem.groups,
    rows: problem.outChannelsPerGroup,
    inputChannels: problem.inChannelsPerGroup,
    inputStrides: problem.inputStrides,
    outputStrides: problem.outputStrides,
  };
}

/** Tensor bindings of every weight gradient kernel. */
export function gradientBindings(operation: ConvOperation) {
  return { input: "x", outputGradient: "y", activated: operation.masked ? "activated" : "unused" } as const;
}

/** What follows the first stage: nothing if it may write the result itself, or the second stage. */
export interface PartialSums {
  /** What the first stage's `partials` binding is given. */
  readonly target: BindingSource;
  readonly scratchBytes: Scratch;
  readonly reduction: readonly Dispatch[];
}

/** The second stage of a weight gradient split `splits` ways. */
export function weightSums(operation: ConvOperation, splits: number, capabilities: Capabilities): PartialSums {
  const { problem, bias, dtype } = operation;
  const matrix = gradientMatrix(operation);
  const inPlace = splits === 1 && !bias && dtype === "float32" && problem.weightOrder === "OIS";
  if (inPlace) return { target: "w", scratchBytes: {}, reduction: [] };
  const { elements, columns } = matrix;
  const reduction = dispatch(kernel, {
    constants: { HAS_BIAS: bias },
    types: elementTypes(operation),
    uniforms: { elements, splits, columns, taps: problem.taps, strides: strideList(problem.weightStrides) },
    bindings: { partials: "partials", result: "w", bias: bias ? "bias" : "unused" },
    workgroups: foldWorkgroups(Math.ceil(elements / REDUCE_THREADS), capabilities),
  });
  return { target: "partials", scratchBytes: { partials: partialBytes(splits, elements) }, reduction: [reduction] };
}

/** The second stage of a sum with one result a channel. */
export function channelSums(operation: ConvOperation, splits: number, capabilities: Capabilities): PartialSums {
  const target = operation.direction === "slopeGradient" ? "slopes" : "bias";
  if (splits === 1 && operation.dtype === "float32") return { target, scratchBytes: {}, reduction: [] };
  const elements = operation.problem.outChannels;
  const reduction = dispatch(kernel, {
    constants: { HAS_BIAS: false },
    types: elementTypes(operation),
    uniforms: { elements, splits, columns: 1, taps: 1, strides: [1, 0, 0] },
    bindings: { partials: "partials", result: target, bias: "unused" },
    workgroups: foldWorkgroups(Math.ceil(elements / REDUCE_THREADS), capabilities),
  });
  return { target: "partials", scratchBytes: { partials: partialBytes(splits, elements) }, reduction: [reduction] };
}

/** The first stage, followed by the second where there is one. */
export function twoStages(first: Dispatch, sums: PartialSums): Steps {
  return { dispatches: [first, ...sums.reduction], scratchBytes: sums.scratchBytes };
}
