/** Every operation of a layer: its operands, what the reference says, and how an engine is asked for it. */
import type { ConvOptions, Engine, SolverChoice, Tensor } from "webgpu-conv";
import {
  biasGradient,
  type ConvProblem,
  forward,
  inputGradient,
  maskByOutput,
  type PassDirection,
  weightGradient,
} from "webgpu-conv/reference";
import { type ActivationSpec, readActivation } from "../../src/problem/activation.js";
import { plainOperation } from "../../src/calls/calls.js";
import {
  type ConvOperation,
  type Direction,
  operandRoles,
  resultRoles,
  shapeOfRole,
  type TensorRole,
} from "../../src/problem/operation.js";
import { product } from "../../src/problem/geometry.js";
import { type Fill, Random } from "./data.js";

/** Values by role: `y` is dy in a gradient, `activated` the forward output. */
export type RoleValues = Readonly<Record<TensorRole, Float32Array<ArrayBuffer>>>;

const ROLES: readonly TensorRole[] = ["x", "w", "y", "bias", "residual", "activated"];

/** Values for every role of a forward pass and of its gradients, each role with numbers of its own. */
export function makeValues(problem: ConvProblem, seed: number, fill: Fill): RoleValues {
  const random = new Random(seed);
  const forwardPass = plainOperation("forward", problem, FLOAT32);
  const entries = ROLES.map((role) => [role, fill(random, product(shapeOfRole(forwardPass, role)))] as const);
  return Object.fromEntries(entries) as RoleValues;
}

const FLOAT32 = { dtype: "float32" } as const;
const RELU = readActivation("relu");

/** Every direction, with nothing fused and with all that can be. */
export function operationsOf(problem: ConvProblem): ConvOperation[] {
  const plain = (direction: Direction): ConvOperation => plainOperation(direction, problem, FLOAT32);
  const masked = (direction: Direction): ConvOperation => ({ ...plain(direction), masked: true });
  return [
    plain("forward"),
    { ...plain("forward"), bias: true, residual: true, activation: RELU },
    plain("inputGradient"),
    masked("inputGradient"),
    plain("weightGradient"),
    masked("weightGradient"),
    { ...masked("weightGradient"), bias: true },
    plain("biasGradient"),
    masked("biasGradient"),
  ];
}

/** The operation in words: `weightGradient + bias, relu`. */
export function operationName({ direction, bias, activation, masked }: ConvOperation): string {
  return `${direction}${bias ? " + bias" : ""}${masked || activation.name === "relu" ? ", relu" : ""}`;
}

/** dy as the operation uses it: masked where relu's derivative is fused into a gradient. */
export function maskedGradient({ masked }: ConvOperation, { y, activated }: RoleValues): ArrayLike<number> {
  return masked ? maskByOutput(y, activated) : y;
}

/** The direction of an operation that sums products. */
export function passOf({ direction }: ConvOperation): PassDirection {
  if (direction === "activation" || direction === "activationGradient" || direction === "slopeGradient") {
    throw new Error(`${direction} sums no products of x and w`);
  }
  return direction;
}

/** What the reference computes, in the order of `resultRoles`. */
export function expectedResults(operation: ConvOperation, values: RoleValues): Float64Array[] {
  const { direction, problem, bias, residual, activation } = operation;
  if (direction === "forward") {
    const extras = { bias: bias ? values.bias : undefined, residual: residual ? values.residual : undefined };
    return [forward(problem, values.x, values.w, { ...extras, activation: withoutSlopes(activation) })];
  }
  const dy = maskedGradient(operation, values);
  switch (direction) {
    case "inputGradient":
      return [inputGradient(problem, dy, values.w)];
    case "weightGradient": {
      const dw = weightGradient(problem, dy, values.x);
      return bias ? [dw, biasGradient(problem, dy)] : [dw];
    }
    default:
      return [biasGradient(problem, dy)];
  }
}

/** An activation as a caller would say it. */
function withoutSlopes(activation: ActivationSpec): Exclude<ActivationSpec, { readonly name: "prelu" }> {
  if (activation.name === "prelu") throw new Error("a prelu has slopes, which no role here holds");
  return activation;
}

/** Tensors by role, as far as an operation reads them. */
export type RoleTensors = Partial<Record<TensorRole, Tensor>>;

/** Uploads every operand that the operations read. */
export function uploadOperands(engine: Engine, operations: readonly ConvOperation[], values: RoleValues): RoleTensors {
  const tensors: RoleTensors = {};
  for (const operation of operations) {
    for (const role of operandRoles(operation))
      tensors[role] ??= engine.tensor(values[role], shapeOfRole(operation, role));
  }
  return tensors;
}

export function disposeOperands(tensors: RoleTensors): void {
  for (const tensor of Object.values(tensors)) tensor.dispose();
}

function operand(tensors: RoleTensors, role: TensorRole): Tensor {
  const tensor = tensors[role];
  if (!tensor) throw new Error(`no operand was uploaded for ${role}`);
  return tensor;
}

/**
 * Asks the engine for the operation. The weight gradient with fused bias exists only within `conv2dBackward`,
 * where the engine chooses the solver: `solver` must then be absent.
 *
 * @returns results in the order of `resultRoles`
 */
export function runOnEngine(
  engine: Engine,
  operation: ConvOperation,
  layer: ConvOptions,
  tensors: RoleTensors,
  solver?: SolverChoice,
): Tensor[] {
  const { direction, problem, bias, residual, activation, masked } = operation;
  const at = (role: TensorRole): Tensor => operand(tensors, role);
  const options = { ...layer, ...(solver !== undefined && { solver }) };
  if (direction === "forward") {
    const fused = { ...(bias && { bias: at("bias") }), ...(residual && { residual: at("residual") }) };
    return [engine.conv2d(at("x"), at("w"), { ...options, ...fused, activation: withoutSlopes(activation) })];
  }
  const gradient = masked ? { ...options, activation: "relu" as const, output: at("activated") } : options;
  switch (direction) {
    case "inputGradient":
      return [engine.conv2dInputGradient(at("y"), at("w"), problem.inputShape, gradient)];
    case "weightGradient": {
      if (!bias) return [engine.conv2dWeightGradient(at("y"), at("x"), problem.weightShape, gradient)];
      if (solver !== undefined) throw new Error("conv2dBackward takes no solver");
      const gradients = engine.conv2dBackward(at("y"), at("x"), at("w"), gradient);
      gradients.input.dispose();
      return [gradients.weight, gradients.bias];
    }
    default:
      return [engine.conv2dBiasGradient(at("y"), gradient)];
  }
}

/** Whether a result exists for the engine's own methods to give with a named solver. */
export const isFusedBias = (operation: ConvOperation): boolean => resultRoles(operation).length > 1;

/** Reads the tensors back and disposes of them. */
export async function takeAll(tensors: readonly Tensor[]): Promise<Float32Array[]> {
  const values = tensors.map((tensor) => tensor.data());
  for (const tensor of tensors) tensor.dispose();
  return await Promise.all(values);
}
