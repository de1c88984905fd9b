/**
 * Two-stage sums. A weight gradient sums over every output position of the batch, far more terms than it has
 * results; the terms are split among workgroups, each split writes a partial matrix to the workspace, and a
 * second dispatch adds the partials in a fixed order, so that the bits do not depend on timing.
 */
import kernel from "../../shaders/reduce_partials.wgsl";
import type { Capabilities } from "../gpu/capabilities.js";
import type { ConvOperation } from "../operation.js";
import {
  type BindingSource,
  type Dispatch,
  dispatch,
  foldWorkgroups,
  type Scratch,
  type SolverPlan,
} from "../solver.js";
import { elementTypes, paddingConstant, strideList, tapConstants } from "./constants.js";
import { chooseSplits, dealOut, partialBytes } from "./splits.js";

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

/** Output positions below which a split is not worth its partial. */
const LEAST_POSITIONS = 64;

/**
 * Output lines dealt out to splits, for kernels whose threads walk along them.
 *
 * @param threads of one split
 * @param threadsPerTask of a workgroup
 */
export function splitLines(
  operation: ConvOperation,
  { threads, threadsPerTask }: { readonly threads: number; readonly threadsPerTask: number },
  capabilities: Capabilities,
) {
  const { batch, output } = operation.problem;
  const lines = batch * output[0] * output[1];
  const wanted = chooseSplits(
    {
      tasks: Math.ceil(threads / threadsPerTask),
      elements: gradientMatrix(operation).elements,
      depth: lines,
      leastDepth: Math.ceil(LEAST_POSITIONS / output[2]),
    },
    capabilities,
  );
  const { perSplit: linesPerSplit, splits } = dealOut(lines, wanted);
  return { lines, linesPerSplit, splits };
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
export function twoStagePlan(
  solver: string,
  config: SolverPlan["config"],
  first: Dispatch,
  sums: PartialSums,
): SolverPlan {
  return { solver, config, dispatches: [first, ...sums.reduction], scratchBytes: sums.scratchBytes };
}
