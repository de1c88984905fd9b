/**
 * The forward pass and the input gradient as one: every result element gathers, over the filter's taps, from a source.
 * Forward x gives y. Backward dy gives dx, and the map from result to source is the transpose. Kernels take both through
 * this description.
 */
import { product } from "../../problem/geometry.js";
import type { ConvOperation } from "../../problem/operation.js";
import type { PaddingMode } from "../../problem/padding.js";
import type { ConvProblem, Triple } from "../../problem/problem.js";
import type { BindingSource } from "../../planning/solver.js";
import { imageStrides } from "./pixels.js";
import { activationConstants, paddingConstant, stepConstants, tapConstants } from "./constants.js";

export interface Gather {
  readonly transposed: boolean;
  /** Results are taken in this many phases along each axis. All positions of a phase read the same taps. */
  readonly phases: Triple;
  readonly phaseCount: number;
  /** Positions of a phase along each axis, and of one sample in all. */
  readonly phaseSize: Triple;
  readonly phasePositions: number;
  readonly resultChannels: number;
  readonly sourceChannels: number;
  /** N: positions of a phase, counted through the batch. */
  readonly n: number;
  /** Taps of a phase along each axis, at most. */
  readonly phaseTaps: Triple;
  /** K: source channels of a group times the taps of a phase. */
  readonly k: number;
  readonly constants: ReturnType<typeof gatherConstants>;
  readonly uniforms: ReturnType<typeof gatherUniforms>;
  readonly bindings: Readonly<
    Record<"source" | "weight" | "bias" | "activated" | "residual" | "result", BindingSource>
  >;
}

/** Describes a forward pass or an input gradient as a gather. */
export function describeGather(operation: ConvOperation): Gather {
  const { problem } = operation;
  const transposed = operation.direction === "inputGradient";
  const uniforms = gatherUniforms(operation);
  const constants = gatherConstants(operation);
  const step: Triple = transposed ? problem.stride : [1, 1, 1];
  const phases = mapTriple((axis) => Math.min(step[axis], uniforms.resultSize[axis]));
  const phaseSize = mapTriple((axis) => Math.ceil(uniforms.resultSize[axis] / step[axis]));
  const tapSteps = [constants.TAP_STEP_DEPTH, constants.TAP_STEP_HEIGHT, constants.TAP_STEP_WIDTH];
  const phaseTaps = mapTriple((axis) => Math.ceil(problem.kernel[axis] / tapSteps[axis]));
  return {
    transposed,
    phases,
    phaseCount: product(phases),
    phaseSize,
    phasePositions: product(phaseSize),
    resultChannels: uniforms.resultChannels,
    sourceChannels: uniforms.sourceChannels,
    n: problem.batch * product(phaseSize),
    phaseTaps,
    k: uniforms.sourceChannels * product(phaseTaps),
    constants,
    uniforms,
    bindings: {
      source: transposed ? "y" : "x",
      weight: "w",
      bias: operation.bias ? "bias" : "unused",
      // A pass with an activation is never masked: kernels read a prelu's slopes from the same binding.
      activated: operation.masked ? "activated" : slopesOf(operation),
      residual: operation.residual ? "residual" : "unused",
      result: transposed ? "x" : "y",
    },
  };
}

/** Bits of a word but for one, which is set where there is no tap at all. */
const MOST_TAP_BITS = 31;

/** Whether bits of a word can say which taps meet a source (shaders/common/taps.wgsl): zeros lie beyond it, and taps are few. */
export const hasTapBits = (paddingMode: PaddingMode, [depth, height, width]: Triple): boolean =>
  paddingMode === "zeros" && depth + height + width <= MOST_TAP_BITS;

/** K, the mean of all phases: taps that a phase lacks do not count. */
export const meanK = ({ problem }: ConvOperation, { sourceChannels, phaseCount }: Gather): number =>
  (sourceChannels * problem.taps) / phaseCount;

/** Whether each run of `length` neighbouring results lies in whole, aligned vectors of four. */
export function liesInVectors({ uniforms: { resultStrides } }: Gather, length: number): boolean {
  const [batch, channel, position] = resultStrides;
  return position === 1 && [batch, channel, length].every((count) => count % 4 === 0);
}

/** Padding at the beginning for a pass that gathers with the filter flipped, where transposed: the first tap is the last. */
export function flippedPadding({ transposed, uniforms }: Gather, { kernel, dilation }: ConvProblem): readonly number[] {
  return uniforms.padBegin.map((begin, axis) => (transposed ? (kernel[axis] - 1) * dilation[axis] - begin : begin));
}

/** Constants and uniform fields of kernels that gather with the filter flipped where transposed. */
export function describeFlipped(operation: ConvOperation, gather: Gather) {
  const { problem } = operation;
  const { sourceSize, resultSize, resultChannels, sourceStrides, resultStrides, weightStrides, weightGroupStride } =
    gather.uniforms;
  return {
    constants: {
      ...activationConstants(operation),
      PADDING_MODE: gather.transposed ? 0 : paddingConstant(problem),
      FLIPPED: gather.transposed,
      HAS_BIAS: operation.bias,
      HAS_RESIDUAL: operation.residual,
      MASKED: operation.masked,
      HALVES: false,
    },
    uniforms: {
      sourceSize,
      resultSize,
      padBegin: flippedPadding(gather, problem),
      resultChannels,
      groups: problem.groups,
      sourceStrides,
      resultStrides,
      weightStrides,
      weightGroupStride,
    },
  };
}

/** Where a kernel that applies the operation's activation finds a prelu's slopes. */
export const slopesOf = ({ activation }: ConvOperation): BindingSource =>
  activation.name === "prelu" ? "slopes" : "unused";

function mapTriple(valueOf: (axis: number) => number): Triple {
  return [valueOf(0), valueOf(1), valueOf(2)];
}

/** Uniform fields of the tiled gather kernels, which take results phase by phase. */
export function phaseUniforms({ phases, phaseSize, phasePositions, n }: Gather) {
  return { phases, phaseSize, phasePositions, n };
}

function gatherConstants(operation: ConvOperation) {
  const forward = operation.direction === "forward";
  return {
    ...tapConstants(operation.problem),
    ...stepConstants(operation.problem, !forward),
    ...activationConstants(operation),
    RANK: operation.problem.rank,
    TRANSPOSED: !forward,
    // What flows back to copied elements of a padded edge is added by a pass of its own.
    PADDING_MODE: forward ? paddingConstant(operation.problem) : 0,
    HAS_BIAS: operation.bias,
    HAS_RESIDUAL: operation.residual,
    MASKED: operation.masked,
    HALVES: operation.halves === true,
  };
}

/** Uniform fields of every gather kernel. */
export function gatherUniforms({ direction, problem, pixels }: ConvOperation) {
  const { inputStrides, outputStrides, weightStrides: weight } = problem;
  const common = { padBegin: problem.padBegin, weightGroupStride: problem.outChannelsPerGroup * weight.out };
  if (direction === "forward") {
    return {
      ...common,
      sourceSize: problem.input,
      resultSize: problem.output,
      resultChannels: problem.outChannelsPerGroup,
      sourceChannels: problem.inChannelsPerGroup,
      sourceStrides: pixels ? imageStrides(problem) : inputStrides,
      resultStrides: outputStrides,
      weightStrides: [weight.out, weight.in, weight.tap],
    };
  }
  return {
    ...common,
    sourceSize: problem.output,
    resultSize: problem.input,
    resultChannels: problem.inChannelsPerGroup,
    sourceChannels: problem.outChannelsPerGroup,
    sourceStrides: outputStrides,
    resultStrides: inputStrides,
    weightStrides: [weight.in, weight.out, weight.tap],
  };
}
