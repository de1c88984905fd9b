/**
 * Two-stage sums. A weight gradient sums over every output position of the batch, far more terms than it has
 * results; the terms are split among workgroups, each split writes a partial matrix to the workspace, and a
 * second dispatch adds the partials in a fixed order, so that the bits do not depend on timing.
 */
import kernel from "../../shaders/reduce_partials.wgsl";
import type { Capabilities } from "../gpu/capabilities.js";
import type { ConvOperation } from "../operation.js";
import { type BindingSource, type Dispatch, dispatch, foldWorkgroups, type SolverPlan } from "../solver.js";
import { isMasked } from "./gather.js";
import { ELEMENT_BYTES, tapConstants, tensorStrides } from "./layout.js";

const REDUCE_THREADS = 64;

/** Workgroups that keep a device busy; more splits than that only make more partials. */
const ENOUGH_TASKS = { software: 16, gpu: 512 };
const MOST_WORKSPACE_BYTES = 2 ** 27;

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

/**
 * How many ways to split a sum of `depth` terms.
 *
 * @param tasks workgroups that one split takes
 * @param elements of one partial matrix
 * @param leastDepth terms below which a split is not worth its partial
 */
export function chooseSplits(
  { tasks, elements, depth, leastDepth }: Readonly<Record<"tasks" | "elements" | "depth" | "leastDepth", number>>,
  { software, limits }: Capabilities,
): number {
  const wanted = Math.ceil((software ? ENOUGH_TASKS.software : ENOUGH_TASKS.gpu) / tasks);
  const worthwhile = Math.floor(depth / leastDepth);
  const bytes = Math.min(MOST_WORKSPACE_BYTES, limits.maxStorageBufferBindingSize);
  const affordable = Math.floor(bytes / (elements * ELEMENT_BYTES));
  return Math.max(1, Math.min(wanted, worthwhile, affordable));
}

/** Constants of every weight gradient kernel. */
export function gradientConstants(operation: ConvOperation) {
  return { ...tapConstants(operation.problem), HAS_BIAS: operation.bias, MASKED: isMasked(operation) };
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
    inputStrides: tensorStrides(problem.inChannels, problem.inputPositions),
    outputStrides: tensorStrides(problem.outChannels, problem.outputPositions),
  };
}

/** Tensor bindings of every weight gradient kernel. */
export function gradientBindings(operation: ConvOperation) {
  return { input: "x", outputGradient: "y", activated: isMasked(operation) ? "activated" : "unused" } as const;
}

/** What follows the first stage: nothing if it may write the result itself, or the second stage. */
export interface PartialSums {
  /** What the first stage's `partials` binding is given. */
  readonly target: BindingSource;
  readonly workspaceBytes: number;
  readonly reduction: readonly Dispatch[];
}

/**
 * @param result the tensor that gets the sums
 * @param columns of the matrix; with `bias` the last one goes to the bias gradient instead
 */
export function partialSums(
  sums: {
    readonly splits: number;
    readonly rows: number;
    readonly columns: number;
    readonly bias: boolean;
    readonly result: "w" | "bias";
  },
  capabilities: Capabilities,
): PartialSums {
  const { splits, rows, columns, bias, result } = sums;
  if (splits === 1 && !bias) return { target: result, workspaceBytes: 0, reduction: [] };
  const elements = rows * columns;
  const reduction = dispatch(kernel, {
    constants: { HAS_BIAS: bias },
    uniforms: { elements, splits, columns },
    bindings: { partials: "workspace", weight: result, bias: bias ? "bias" : "unused" },
    workgroups: foldWorkgroups(Math.ceil(elements / REDUCE_THREADS), capabilities),
  });
  return { target: "workspace", workspaceBytes: splits * elements * ELEMENT_BYTES, reduction: [reduction] };
}

/** The first stage, followed by the second where there is one. */
export function twoStagePlan(
  solver: string,
  config: SolverPlan["config"],
  first: Dispatch,
  sums: PartialSums,
): SolverPlan {
  return { solver, config, dispatches: [first, ...sums.reduction], workspaceBytes: sums.workspaceBytes };
}
