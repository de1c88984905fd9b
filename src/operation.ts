/** A pass over a ConvProblem together with what is fused into it: what solvers plan for. */
import type { Activation } from "./options.js";
import type { ConvProblem } from "./problem.js";

/** The passes of a convolution layer. */
export const DIRECTIONS = ["forward", "inputGradient", "weightGradient", "biasGradient"] as const;
export type Direction = (typeof DIRECTIONS)[number];

/**
 * A pass and its fusions.
 *
 * - forward: `y = activation(conv(x, w) + bias)`
 * - gradients: `dy` is multiplied by the activation's derivative, read off the forward output.
 * - weightGradient with `bias`: yields the bias gradient as well.
 */
export interface ConvOperation {
  readonly direction: Direction;
  readonly problem: ConvProblem;
  readonly bias: boolean;
  readonly activation: Activation;
}

/**
 * The tensors that a pass reads and writes. `x`, `w` and `y` stand for the tensor *shaped as* input,
 * weight and output; in a gradient that is the gradient (dx, dw, dy).
 */
export const TENSOR_ROLES = ["x", "w", "y", "bias", "activated"] as const;
export type TensorRole = (typeof TENSOR_ROLES)[number];

/** What the pass computes. The weight gradient writes `bias` too when `operation.bias` is set. */
export function resultRoles(operation: ConvOperation): TensorRole[] {
  switch (operation.direction) {
    case "forward":
      return ["y"];
    case "inputGradient":
      return ["x"];
    case "weightGradient":
      return operation.bias ? ["w", "bias"] : ["w"];
    case "biasGradient":
      return ["bias"];
  }
}

/** What the pass reads, in a fixed order. `activated` is the forward output, for the activation's mask. */
export function operandRoles(operation: ConvOperation): TensorRole[] {
  const masked: TensorRole[] = operation.activation === "none" ? [] : ["activated"];
  switch (operation.direction) {
    case "forward":
      return operation.bias ? ["x", "w", "bias"] : ["x", "w"];
    case "inputGradient":
      return ["y", "w", ...masked];
    case "weightGradient":
      return ["y", "x", ...masked];
    case "biasGradient":
      return ["y", ...masked];
  }
}

/** Shape of the tensor in a role. */
export function shapeOfRole(problem: ConvProblem, role: TensorRole): readonly number[] {
  switch (role) {
    case "x":
      return problem.inputShape;
    case "w":
      return problem.weightShape;
    case "y":
    case "activated":
      return problem.outputShape;
    case "bias":
      return [problem.outChannels];
  }
}
