/** Public calls read into operations: arguments checked, problem made, tensors put in their roles. */
import type { DType } from "../problem/dtype.js";
import type { Activation } from "./options.js";
import { readActivation } from "../problem/activation.js";
import { entriesOf } from "../base/entries.js";
import { require, show } from "../base/errors.js";
import { isTransposedOrder, readLayout, readWeightOrder } from "../problem/layout.js";
import { type ConvOperation, type Direction, NOTHING_FUSED, type TensorRole } from "../problem/operation.js";
import { requireOptions } from "../base/optionKeys.js";
import { type ConvOptions, FORWARD_OPTIONS, type ForwardOptions, TRANSPOSED_OPTIONS } from "./options.js";
import { readPadding, readPerAxis, type TransposedSize } from "../problem/options.js";
import { readSolver, type SolverChoice } from "../planning/choice.js";
import { readPaddingMode } from "../problem/padding.js";
import { type ConvProblem, makeProblem, type Rank, readGroups } from "../problem/problem.js";
import { activationShape, readActivationShape, requireSameShape } from "../problem/shapes.js";
import { requireTensor, type Tensor } from "../tensor/tensor.js";
import { makeTransposedProblem } from "../problem/transposed.js";

export { requireTensor };

/** Tensors by role, and what the caller calls them. */
export type RoleTensors = Partial<Record<TensorRole, Tensor>>;

/** An operation ready to run. */
export interface Call {
  readonly operation: ConvOperation;
  readonly operands: RoleTensors;
  /** The caller's names of the operands, for messages. */
  readonly names: Partial<Record<TensorRole, string>>;
  readonly solver: SolverChoice | undefined;
}

/** The part of a call's options that asks for a solver. */
interface SolverOption {
  readonly solver?: SolverChoice | undefined;
}

/** The pass of a problem with nothing fused, for planning and for gradients. */
export function plainOperation(
  direction: Direction,
  problem: ConvProblem,
  { dtype }: { readonly dtype: DType },
): ConvOperation {
  return { ...NOTHING_FUSED, direction, problem, dtype };
}

/** What an operation on `tensor` computes in. Only x of a convolution may be an image. */
export function valuesOf(tensor: Tensor, name: string): { readonly dtype: DType } {
  const { dtype } = tensor;
  require(dtype !== "rgba8unorm", () => {
    return `${name} is an image (${dtype}); expected float32 or float16: an image can be x of a convolution and of its weight gradient`;
  });
  return { dtype };
}

function requireSameDType({ pixels }: ConvOperation, names: Call["names"], operands: RoleTensors): void {
  const values = entriesOf(operands).filter(([role]) => !(role === "x" && pixels));
  const [[firstRole]] = values;
  const { dtype } = valuesOf(values[0][1], names[firstRole] ?? firstRole);
  for (const [role, tensor] of values) {
    const name = names[role] ?? role;
    require(valuesOf(tensor, name).dtype === dtype, () => {
      return `${name} is ${tensor.dtype}; expected ${dtype}, as ${names[firstRole] ?? firstRole}`;
    });
  }
}

export function makeCall(
  operation: ConvOperation,
  operands: RoleTensors,
  names: Call["names"],
  { solver }: SolverOption,
): Call {
  requireSameDType(operation, names, operands);
  return { operation, operands, names, solver: readSolver(solver) };
}

/** The slopes of a prelu, one or one a channel; undefined for other activations. */
export function readSlopes(activation: Activation | undefined, channels: number): Tensor | undefined {
  if (typeof activation !== "object" || activation.name !== "prelu") return undefined;
  const { slope } = activation;
  requireTensor(SLOPES, slope);
  const { shape, size } = slope;
  require(shape.length === 1 && (size === 1 || size === channels), () => {
    return `${SLOPES} has shape ${show([...shape])}; expected [1] or [${String(channels)}], one slope or one a channel`;
  });
  return slope;
}

/** The caller's name of a prelu's slopes. */
export const SLOPES = "activation.slope";

/** The caller's names of what a forward pass reads beside its input and weight. */
const FUSED_NAMES = { bias: "bias", residual: "residual", slopes: SLOPES } as const;

/** `activation(pass + bias + residual)` for a forward pass or, transposed, for an input gradient. */
function epilogue(
  resultShape: readonly number[],
  channels: number,
  options: ForwardOptions,
): Pick<Call, "operands"> & {
  readonly fused: Pick<ConvOperation, "bias" | "residual" | "activation">;
} {
  const { bias, residual } = options;
  const operands: RoleTensors = {};
  if (bias !== undefined) {
    requireTensor("bias", bias);
    requireSameShape("bias", bias.shape, [channels], "one value an output channel");
    operands.bias = bias;
  }
  if (residual !== undefined) {
    requireTensor("residual", residual);
    requireSameShape("residual", residual.shape, resultShape, "the result's shape");
    operands.residual = residual;
  }
  const activation = readActivation(options.activation);
  const slopes = readSlopes(options.activation, channels);
  if (slopes) operands.slopes = slopes;
  return { operands, fused: { bias: bias !== undefined, residual: residual !== undefined, activation } };
}

/** Makes the problem of a call: shared filters, or a filter for each output position. */
export type MakeProblem = typeof makeProblem;

export function forwardCall(
  rank: Rank,
  x: Tensor,
  w: Tensor,
  options: ForwardOptions,
  make: MakeProblem = makeProblem,
): Call {
  requireTensor("x", x);
  requireTensor("w", w);
  requireOptions(options, FORWARD_OPTIONS);
  const problem = make(rank, x.shape, w.shape, options);
  const { operands, fused } = epilogue(problem.outputShape, problem.outChannels, options);
  const values = x.pixels ? valuesOf(w, "w") : valuesOf(x, "x");
  const operation = { ...plainOperation("forward", problem, values), ...fused, pixels: x.pixels };
  return makeCall(operation, { x, w, ...operands }, { x: "x", w: "w", ...FUSED_NAMES }, options);
}

export function transposedForwardCall(
  rank: Rank,
  x: Tensor,
  w: Tensor,
  options: ForwardOptions & TransposedSize,
): Call {
  requireTensor("x", x);
  requireTensor("w", w);
  requireOptions(options, TRANSPOSED_OPTIONS);
  const problem = makeTransposedProblem(rank, x.shape, w.shape, options);
  const { operands, fused } = epilogue(problem.inputShape, problem.inChannels, options);
  const operation = { ...plainOperation("inputGradient", problem, valuesOf(x, "x")), ...fused };
  return makeCall(operation, { y: x, w, ...operands }, { y: "x", w: "w", ...FUSED_NAMES }, options);
}

/** The caller's names of the tensors that a gradient reads. */
const GRADIENT_NAMES = { x: "x", w: "w", y: "dy", activated: "output" };
/** Likewise for a transposed convolution, whose dy has the shape of the problem's x. */
const TRANSPOSED_GRADIENT_NAMES = { x: "dy", w: "w", y: "x" };

/** A gradient of a convolution. With `activated` among the operands dy is masked by it while it is read. */
export function gradientCall(
  direction: "inputGradient" | "weightGradient" | "biasGradient",
  problem: ConvProblem,
  operands: RoleTensors & { readonly y: Tensor },
  options: SolverOption,
): Call {
  const masked = operands.activated !== undefined;
  const plain = plainOperation(direction, problem, valuesOf(operands.y, "dy"));
  const operation = { ...plain, masked, pixels: operands.x?.pixels };
  return makeCall(operation, operands, GRADIENT_NAMES, options);
}

/** The weight gradient with the bias gradient computed inside it. */
export function weightAndBiasGradientCall(
  problem: ConvProblem,
  operands: RoleTensors & { readonly y: Tensor },
  options: SolverOption,
): Call {
  const call = gradientCall("weightGradient", problem, operands, options);
  return { ...call, operation: { ...call.operation, bias: true } };
}

/** A gradient of a transposed convolution: the forward pass, or the weight gradient, of the convolution behind it. */
export function transposedGradientCall(
  direction: "forward" | "weightGradient",
  problem: ConvProblem,
  operands: RoleTensors & { readonly x: Tensor },
  options: SolverOption,
): Call {
  return makeCall(
    plainOperation(direction, problem, valuesOf(operands.x, "dy")),
    operands,
    TRANSPOSED_GRADIENT_NAMES,
    options,
  );
}

/** A pointwise problem whose output has this shape: all that the bias gradient depends on. */
export function biasProblem(
  rank: Rank,
  outputShape: readonly number[],
  options: ConvOptions & TransposedSize,
): ConvProblem {
  const layout = readLayout(options.layout);
  const { channels, ...rest } = readActivationShape("dy", outputShape, rank, layout);
  requireHyperparameters(rank, channels, options);
  const inputShape = activationShape({ ...rest, channels: 1 }, layout);
  return makeProblem(rank, inputShape, [channels, 1, ...rest.spatial.map(() => 1)], { layout });
}

/** Of a layer whose shapes are not all known: each by itself must be what some layer has. */
function requireHyperparameters(rank: Rank, outChannels: number, options: ConvOptions & TransposedSize): void {
  const { padding, weightLayout, outputSize } = options;
  const groups = readGroups(options);
  require(outChannels % groups === 0, () => {
    return `dy has ${String(outChannels)} channels; expected a multiple of groups = ${String(groups)}`;
  });
  const strides = readPerAxis("stride", options.stride, rank, 1);
  const dilations = readPerAxis("dilation", options.dilation, rank, 1);
  readPaddingMode(options.paddingMode);
  const axes = strides.map((stride, axis) => ({ input: LARGEST_EXTENT, kernel: 1, stride, dilation: dilations[axis] }));
  readPadding(padding, axes);
  readPerAxis("outputPadding", options.outputPadding, rank, 0);
  if (outputSize !== undefined) readPerAxis("outputSize", outputSize, rank, 1);
  if (!isTransposedOrder(weightLayout, rank)) readWeightOrder(weightLayout, rank);
}

/** Of any input: padding may crop so much. */
const LARGEST_EXTENT = 2 ** 31 - 1;
