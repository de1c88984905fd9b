/** A pass over a ConvProblem together with what is fused into it: what solvers plan for. */
import { product } from "./geometry.js";
import { type ActivationSpec, NO_ACTIVATION, parametersOf } from "./activation.js";
import { BYTES_PER_ELEMENT, type DType } from "./dtype.js";
import { dataKey, numberKey } from "../base/keys.js";
import type { Pixels } from "./pixels.js";
import type { ConvProblem } from "./problem.js";

/**
 * The passes of a convolution layer, and those of an activation on its own. A transposed convolution is the
 * input gradient of a convolution, and its own input gradient that convolution's forward pass.
 */
export const DIRECTIONS = [
  "forward",
  "inputGradient",
  "weightGradient",
  "biasGradient",
  "activation",
  "activationGradient",
  "slopeGradient",
] as const;
export type Direction = (typeof DIRECTIONS)[number];

/**
 * A pass and its fusions.
 *
 * - forward, inputGradient: `result = activation(pass + bias + residual)`
 * - inputGradient, weightGradient, biasGradient: with `masked`, dy is zeroed where the forward output is not positive
 *   (the derivative of relu) while it is read.
 * - weightGradient with `bias`: yields the bias gradient as well.
 * - activation: `y = activation(x)`; activationGradient: `x = y * activation'(activated)`, element by element.
 * - slopeGradient: that of a prelu's slopes, `slopes = sum of y * min(activated, 0)`, over a channel or over everything.
 */
export interface ConvOperation {
  readonly direction: Direction;
  readonly problem: ConvProblem;
  readonly dtype: DType;
  readonly bias: boolean;
  readonly residual: boolean;
  readonly activation: ActivationSpec;
  readonly masked: boolean;
  /** What x means where it is an image; undefined where it is values of `dtype`. */
  readonly pixels: Pixels | undefined;
  /**
   * Whether operands are float16 in packed pairs, which a kernel unpacks while it reads them: in shaders without f16. `dtype`
   * is then float32, that of the kernel's arithmetic and results. Plans alone are made so (solvers/passes/conversions.ts).
   */
  readonly halves?: boolean;
  /** Whether weights may be infinite: results that this makes NaN at padding are then repaired (solvers/passes/repairs.ts). */
  readonly repairs?: boolean;
}

/** Bytes of an operand's element, as it is stored. */
export const operandBytes = ({ dtype, halves }: Pick<ConvOperation, "dtype" | "halves">): number =>
  BYTES_PER_ELEMENT[halves === true ? "float16" : dtype];

/** The parts of an operation with nothing fused into it. */
export const NOTHING_FUSED = {
  bias: false,
  residual: false,
  activation: NO_ACTIVATION,
  masked: false,
  pixels: undefined,
} as const satisfies Partial<ConvOperation>;

/** A key that is equal for two operations exactly when all their parts are. */
export function keyOf({
  direction,
  problem,
  dtype,
  bias,
  residual,
  activation,
  masked,
  pixels,
}: ConvOperation): string {
  const [first, second] = parametersOf(activation);
  const image = pixels ? ` ${dataKey(pixels)}` : "";
  return `${direction} ${dtype} ${String(bias)} ${String(residual)} ${activation.name} ${numberKey(first)} ${numberKey(second)} ${String(masked)} ${problem.key}${image}`;
}

/**
 * The tensors that a pass reads and writes. `x`, `w` and `y` stand for the tensor *shaped as* input,
 * weight and output; in a gradient that is the gradient (dx, dw, dy).
 */
export type TensorRole = "x" | "w" | "y" | "bias" | "residual" | "activated" | "slopes";

/** What the pass computes. The weight gradient writes `bias` too when `operation.bias` is set. */
export function resultRoles({ direction, bias }: ConvOperation): TensorRole[] {
  switch (direction) {
    case "forward":
    case "activation":
      return ["y"];
    case "inputGradient":
    case "activationGradient":
      return ["x"];
    case "weightGradient":
      return bias ? ["w", "bias"] : ["w"];
    case "biasGradient":
      return ["bias"];
    case "slopeGradient":
      return ["slopes"];
  }
}

/** What the pass reads, in a fixed order. */
export function operandRoles({ direction, bias, residual, masked, activation }: ConvOperation): TensorRole[] {
  const slopes = activation.name === "prelu" ? (["slopes"] as const) : [];
  const fused: TensorRole[] = [
    ...(bias && direction !== "weightGradient" ? (["bias"] as const) : []),
    ...(residual ? (["residual"] as const) : []),
    ...(masked ? (["activated"] as const) : []),
    ...slopes,
  ];
  switch (direction) {
    case "forward":
      return ["x", "w", ...fused];
    case "inputGradient":
      return ["y", "w", ...fused];
    case "weightGradient":
      return ["y", "x", ...fused];
    case "biasGradient":
      return ["y", ...fused];
    case "activation":
      return ["x", ...slopes];
    case "activationGradient":
      return ["y", "activated", ...slopes];
    case "slopeGradient":
      return ["y", "activated"];
  }
}

/** Whether an operation is a pass of the convolution itself: a sum of products at each of its positions. */
export function sumsProducts({ direction }: ConvOperation): boolean {
  return direction === "forward" || direction === "inputGradient" || direction === "weightGradient";
}

/** Shape of the tensor in a role. */
export function shapeOfRole({ direction, problem, activation }: ConvOperation, role: TensorRole): readonly number[] {
  switch (role) {
    case "x":
      return problem.inputShape;
    case "w":
      return problem.weightShape;
    case "y":
    case "activated":
      return problem.outputShape;
    case "residual":
      return direction === "inputGradient" ? problem.inputShape : problem.outputShape;
    case "slopes":
      return [activation.name === "prelu" ? activation.slopes : 1];
    case "bias":
      return [direction === "inputGradient" ? problem.inChannels : problem.outChannels];
  }
}

/** Elements of the tensors in some roles. */
export const elementsOf = (operation: ConvOperation, roles: readonly TensorRole[]): number =>
  roles.reduce((sum, role) => sum + product(shapeOfRole(operation, role)), 0);

/** Whether an activation's derivative is relu's, which gradients fuse into their reads. */
export function isFusedMask(activation: ActivationSpec): boolean {
  return activation.name === "relu";
}
