/**
 * Weight gradients in two stages. K, every output position of the batch, is far more than there are results. So K is split
 * among workgroups. Each split writes a partial result, and a second dispatch adds them in a fixed order, so that the bits
 * do not depend on timing.
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
  without,
} from "../../planning/solver.js";
import { BATCH_BLOCKS, stepsPerBlock } from "../shared/blocks.js";
import { elementTypes, operandTypes, paddingConstant, tapConstants } from "../shared/constants.js";
import { insideBox } from "../shared/insideBox.js";
import { chooseSplitK, divideEvenly, partialBytes } from "../shared/splits.js";

const REDUCE_THREADS = 64;

/** The product that a weight gradient computes (shaders/common/weight_gradient.wgsl). */
export interface GradientMatrix {
  /** Weights of a filter, and 1 for the bias gradient where it is fused. */
  readonly n: number;
  /** Of all groups: M * N. */
  readonly elements: number;
}

export function gradientMatrix({ problem, bias }: ConvOperation): GradientMatrix {
  const n = problem.inChannelsPerGroup * problem.taps + (bias ? 1 : 0);
  return { n, elements: problem.outChannels * n };
}

/** Constants of every weight gradient kernel. */
export function gradientConstants(operation: ConvOperation) {
  const { problem, bias, masked, halves = false } = operation;
  const passes = { PADDING_MODE: paddingConstant(problem), HAS_BIAS: bias, MASKED: masked, HALVES: halves };
  return { ...tapConstants(problem), ...passes };
}

/** How kernels walk whose threads take `columns` positions of a row at a time. */
export interface RowWalk {
  readonly columns: number;
  /** Positions of a row that a thread walks at a stretch, at most: longer rows are cut into segments. */
  readonly longest: number;
  /** Threads of one split, and of a workgroup. */
  readonly threads: number;
  readonly threadsPerTask: number;
}

/** Output rows cut into segments. */
function cutRows({ problem: { batch, output } }: ConvOperation, { columns, longest }: RowWalk) {
  const blocks = Math.ceil(output[2] / columns);
  const columnBlocks = Math.ceil(blocks / Math.ceil((blocks * columns) / longest));
  return { rows: batch * output[0] * output[1], columnBlocks, segmentsPerRow: Math.ceil(blocks / columnBlocks) };
}

/** Output rows, or segments of them, divided among splits. */
function splitWalk(
  operation: ConvOperation,
  { threads, threadsPerTask }: RowWalk,
  sum: { readonly k: number; readonly positions: number; readonly mostK: number; readonly segments?: number },
  capabilities: Capabilities,
) {
  const { segments = 1 } = sum;
  const tasks = Math.ceil((threads * segments) / threadsPerTask);
  const elements = gradientMatrix(operation).elements * segments;
  const { busyGradientWorkgroups: busy, splitLeastKGradient } = policyOf(capabilities);
  const leastK = Math.ceil(splitLeastKGradient / sum.positions);
  return divideEvenly(sum.k, chooseSplitK({ tasks, busy, elements, leastK, ...sum }, capabilities));
}

/** For kernels whose threads walk along rows, segment after segment. */
export function splitSegments(operation: ConvOperation, walk: RowWalk, capabilities: Capabilities) {
  const { rows, columnBlocks, segmentsPerRow } = cutRows(operation, walk);
  const segments = rows * segmentsPerRow;
  const positions = Math.min(columnBlocks * walk.columns, operation.problem.output[2]);
  const segmentsPerBlock = stepsPerBlock(positions);
  const sum = { k: segments, positions, mostK: BATCH_BLOCKS * segmentsPerBlock };
  const { perSplit: segmentsPerSplit, splitK } = splitWalk(operation, walk, sum, capabilities);
  return { columnBlocks, segments, segmentsPerRow, segmentsPerSplit, segmentsPerBlock, splitK };
}

/** For kernels whose threads walk down rows, some columns at a time: a split takes rows, and a segment of long ones. */
export function splitRows(operation: ConvOperation, walk: RowWalk, capabilities: Capabilities) {
  const { rows, columnBlocks, segmentsPerRow } = cutRows(operation, walk);
  const [, , width] = operation.problem.output;
  const rowsPerBlock = stepsPerBlock(Math.min(walk.columns, width));
  const mostK = Math.max(1, Math.floor((BATCH_BLOCKS * rowsPerBlock) / columnBlocks));
  const positions = Math.min(columnBlocks * walk.columns, width);
  const sum = { k: rows, positions, mostK, segments: segmentsPerRow };
  const { perSplit: rowsPerSplit, splitK } = splitWalk(operation, walk, sum, capabilities);
  return { columnBlocks, segmentsPerRow, rows, rowsPerSplit, rowsPerBlock, splitK: splitK * segmentsPerRow };
}

/** Uniform fields of every weight gradient kernel. */
export function gradientUniforms({ problem }: ConvOperation) {
  return {
    inputSize: problem.input,
    outputSize: problem.output,
    padBegin: problem.padBegin,
    groups: problem.groups,
    outputChannels: problem.outChannelsPerGroup,
    inputChannels: problem.inChannelsPerGroup,
    inputStrides: problem.inputStrides,
    outputStrides: problem.outputStrides,
  };
}

/** Tensor bindings of every weight gradient kernel. */
export function gradientBindings(operation: ConvOperation) {
  return { input: "x", outputGradient: "y", activated: operation.masked ? "activated" : "unused" } as const;
}

/** Multiply-adds that a repair may take, all on single threads: more might keep a device busy for longer than systems let it. */
const MOST_REPAIRED = 2 ** 33;

/**
 * Whether what is infinite may meet zeros, those of padding or those beyond a row's last output, and the sums are few enough to be
 * made once more where they are NaN.
 */
export function repairs(operation: ConvOperation): boolean {
  const { batch, outputPositions, taps } = operation.problem;
  const terms = batch * outputPositions * gradientMatrix(operation).elements;
  return terms <= MOST_REPAIRED && (taps > 1 || insideBox(operation) !== undefined);
}

/** Uniform fields of kernels that repair. */
export function repairUniforms(operation: ConvOperation) {
  return { ...without(gradientUniforms(operation), "groups"), batch: operation.problem.batch };
}

/** What the second stage needs for repairs. Devices that bind few buffers leave it out, and repair in a dispatch that follows. */
const NOT_BOUND = { input: "unused", outputGradient: "unused", activated: "unused" } as const;

/** What follows the first stage: the second stage, or nothing where the first may write the result itself. */
export interface PartialSums {
  /** What the first stage's `partials` binding is given. */
  readonly target: BindingSource;
  readonly scratchBytes: Scratch;
  readonly reduction: readonly Dispatch[];
}

/**
 * The second stage of a weight gradient.
 *
 * @param channelFastest whether n of the first stage is (tap, input channel), channel fastest; otherwise (input channel, tap)
 */
export function weightSums(
  operation: ConvOperation,
  splitK: number,
  capabilities: Capabilities,
  channelFastest = false,
): PartialSums {
  const { problem, bias, dtype } = operation;
  const { taps, inChannelsPerGroup, weightOrder } = problem;
  const matrix = gradientMatrix(operation);
  const orders = taps === 1 || inChannelsPerGroup === 1 ? ["OIS", "OSI"] : [channelFastest ? "OSI" : "OIS"];
  const inPlace = splitK === 1 && !bias && dtype === "float32" && orders.includes(weightOrder);
  if (inPlace) return { target: "w", scratchBytes: {}, reduction: [] };
  const { elements, n } = matrix;
  const { out, in: input, tap } = problem.weightStrides;
  const { finishesApart: apart = false } = capabilities;
  const reduction = dispatch(kernel, {
    constants: {
      ...gradientConstants(operation),
      RANK: problem.rank,
      CHANNEL_FASTEST: channelFastest,
      REPAIRS: !apart && repairs(operation),
    },
    types: { Element: operandTypes(operation).Element, Result: elementTypes(operation).Element },
    uniforms: {
      elements,
      splitK,
      n,
      taps: channelFastest ? inChannelsPerGroup : taps,
      strides: channelFastest ? [out, tap, input] : [out, input, tap],
      ...repairUniforms(operation),
    },
    bindings: {
      ...gradientBindings(operation),
      // What is not used is bound for writing, too, in place of the bias.
      activated: operation.masked ? "activated" : "y",
      ...(apart && NOT_BOUND),
      partials: "partials",
      result: "w",
      bias: bias ? "bias" : "unused",
    },
    workgroups: foldWorkgroups(Math.ceil(elements / REDUCE_THREADS), capabilities),
  });
  return { target: "partials", scratchBytes: { partials: partialBytes(splitK, elements) }, reduction: [reduction] };
}

/** The second stage of a sum with one result a channel. */
export function channelSums(operation: ConvOperation, splitK: number, capabilities: Capabilities): PartialSums {
  const target = operation.direction === "slopeGradient" ? "slopes" : "bias";
  if (splitK === 1 && operation.dtype === "float32") return { target, scratchBytes: {}, reduction: [] };
  const elements = operation.problem.outChannels;
  const reduction = dispatch(kernel, {
    constants: {
      ...gradientConstants(operation),
      HAS_BIAS: false,
      RANK: operation.problem.rank,
      CHANNEL_FASTEST: false,
      REPAIRS: false,
    },
    types: { Element: operandTypes(operation).Element, Result: elementTypes(operation).Element },
    uniforms: { elements, splitK, n: 1, taps: 1, strides: [1, 0, 0], ...repairUniforms(operation) },
    bindings: {
      // What is not used is bound for writing, too, in place of the bias.
      input: "partials",
      outputGradient: "partials",
      activated: "partials",
      ...(capabilities.finishesApart === true && NOT_BOUND),
      partials: "partials",
      result: target,
      bias: "unused",
    },
    workgroups: foldWorkgroups(Math.ceil(elements / REDUCE_THREADS), capabilities),
  });
  return { target: "partials", scratchBytes: { partials: partialBytes(splitK, elements) }, reduction: [reduction] };
}

/** The first stage, and the second where there is one. */
export function twoStages(first: Dispatch, sums: PartialSums): Steps {
  return { dispatches: [first, ...sums.reduction], scratchBytes: sums.scratchBytes };
}
