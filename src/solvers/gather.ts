/**
 * What the forward pass and the input gradient have in common: every result element gathers, over the
 * filter's taps, from a source. Forward: x gives y. Input gradient: dy gives dx, and the map from result
 * to source is the transpose. The kernels take both through this one description.
 */
import type { ConvOperation } from "../operation.js";
import type { BindingSource } from "../solver.js";
import { type TensorStrides, tapConstants, tensorStrides, weightStrides } from "./layout.js";

export interface Gather {
  readonly transposed: boolean;
  readonly resultPositions: number;
  readonly resultChannels: number;
  readonly sourceChannels: number;
  /** Result positions counted through the batch. */
  readonly columns: number;
  /** Terms of a sum: source channels of a group times taps. */
  readonly depth: number;
  readonly constants: ReturnType<typeof gatherConstants>;
  readonly uniforms: ReturnType<typeof gatherUniforms>;
  readonly bindings: Readonly<Record<"source" | "weight" | "bias" | "activated" | "result", BindingSource>>;
}

/** Describes a forward pass or an input gradient as a gather. */
export function describeGather(operation: ConvOperation): Gather {
  const { problem } = operation;
  const transposed = operation.direction === "inputGradient";
  const resultPositions = transposed ? problem.inputPositions : problem.outputPositions;
  const uniforms = gatherUniforms(operation);
  return {
    transposed,
    resultPositions,
    resultChannels: uniforms.resultChannels,
    sourceChannels: uniforms.sourceChannels,
    columns: problem.batch * resultPositions,
    depth: uniforms.sourceChannels * problem.taps,
    constants: gatherConstants(operation),
    uniforms,
    bindings: {
      source: transposed ? "y" : "x",
      weight: "w",
      bias: operation.bias ? "bias" : "unused",
      activated: isMasked(operation) ? "activated" : "unused",
      result: transposed ? "x" : "y",
    },
  };
}

/** Whether dy is masked by the activation's derivative while it is read. */
export function isMasked(operation: ConvOperation): boolean {
  return operation.direction !== "forward" && operation.activation !== "none";
}

function gatherConstants(operation: ConvOperation) {
  const forward = operation.direction === "forward";
  return {
    ...tapConstants(operation.problem),
    RANK: operation.problem.rank,
    TRANSPOSED: !forward,
    HAS_BIAS: operation.bias,
    ACTIVATION: forward && operation.activation === "relu" ? 1 : 0,
    MASKED: isMasked(operation),
  };
}

function gatherUniforms({ direction, problem }: ConvOperation) {
  const weight = weightStrides(problem);
  const x: TensorStrides = tensorStrides(problem.inChannels, problem.inputPositions);
  const y: TensorStrides = tensorStrides(problem.outChannels, problem.outputPositions);
  const common = { padBegin: problem.padBegin, weightGroupStride: problem.outChannelsPerGroup * weight.out };
  if (direction === "forward") {
    return {
      ...common,
      sourceSize: problem.input,
      resultSize: problem.output,
      resultChannels: problem.outChannelsPerGroup,
      sourceChannels: problem.inChannelsPerGroup,
      sourceStrides: x,
      resultStrides: y,
      weightStrides: [weight.out, weight.in, weight.tap],
    };
  }
  return {
    ...common,
    sourceSize: problem.output,
    resultSize: problem.input,
    resultChannels: problem.inChannelsPerGroup,
    sourceChannels: problem.outChannelsPerGroup,
    sourceStrides: y,
    resultStrides: x,
    weightStrides: [weight.in, weight.out, weight.tap],
  };
}
