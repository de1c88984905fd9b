/** Every operation of a layer: its operands, what the reference says, and how an engine is asked for it. */
import type { ConvOptions, Engine, SolverChoice, Tensor } from "webgpu-conv";
import {
  biasGradient,
  type ConvProblem,
  forward,
  inputGradient,
  maskByOutput,
  weightGradient,
} from "webgpu-conv/reference";
import {
  type ConvOperation,
  operandRoles,
  resultRoles,
  shapeOfRole,
  TENSOR_ROLES,
  type TensorRole,
} from "../../src/operation.js";
import { product } from "../../src/geometry.js";
import { type Fill, Random } from "./data.js";

/** Values by role: `y` is dy in a gradient, `activated` the forward output. */
export type RoleValues = Readonly<Record<TensorRole, Float32Array<ArrayBuffer>>>;

/** Values for every role, each role with numbers of its own. */
export function makeValues(problem: ConvProblem, seed: number, fill: Fill): RoleValues {
  const random = new Random(seed);
  const entries = TENSOR_ROLES.map((role) => [role, fill(random, product(shapeOfRole(problem, role)))] as const);
  return Object.fromEntries(entries) as RoleValues;
}

/** Every direction, with nothing fused and with all that can be. */
export function operationsOf(problem: ConvProblem): ConvOperation[] {
  return [
    { direction: "forward", problem, bias: false, activation: "none" },
    { direction: "forward", problem, bias: true, activation: "relu" },
    { direction: "inputGradient", problem, bias: false, activation: "none" },
    { direction: "inputGradient", problem, bias: false, activation: "relu" },
    { direction: "weightGradient", problem, bias: false, activation: "none" },
    { direction: "weightGradient", problem, bias: false, activation: "relu" },
    { direction: "weightGradient", problem, bias: true, activation: "relu" },
    { direction: "biasGradient", problem, bias: false, activation: "none" },
    { direction: "biasGradient", problem, bias: false, activation: "relu" },
  ];
}

/** The operation in words: `weightGradient + bias, relu`. */
export function operationName({ direction, bias, activation }: ConvOperation): string {
  return `${direction}${bias ? " + bias" : ""}${activation === "relu" ? ", relu" : ""}`;
}

/** dy as the operation uses it: masked where an activation is fused into a gradient. */
export function maskedGradient({ activation }: ConvOperation, { y, activated }: RoleValues): ArrayLike<number> {
  return activation === "relu" ? maskByOutput(y, activated) : y;
}

/** What the reference computes, in the order of `resultRoles`. */
export function expectedResults(operation: ConvOperation, values: RoleValues): Float64Array[] {
  const { direction, problem, bias, activation } = operation;
  if (direction === "forward")
    return [forward(problem, values.x, values.w, { activation, bias: bias ? values.bias : undefined })];
  const dy = maskedGradient(operation, values);
  switch (direction) {
    case "inputGradient":
      return [inputGradient(problem, dy, values.w)];
    case "weightGradient": {
      const dw = weightGradient(problem, dy, values.x);
      return bias ? [dw, biasGradient(problem, dy)] : [dw];
    }
    case "biasGradient":
      return [biasGradient(problem, dy)];
  }
}

/** Tensors by role, as far as an operation reads them. */
export type RoleTensors = Partial<Record<TensorRole, Tensor>>;

/** Uploads every operand that the operations read. */
export function uploadOperands(engine: Engine, operations: readonly ConvOperation[], values: RoleValues): RoleTensors {
  const tensors: RoleTensors = {};
  for (const operation of operations) {
    for (const role of operandRoles(operation))
      tensors[role] ??= engine.tensor(values[role], shapeOfRole(operation.problem, role));
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
  const { direction, problem, bias, activation } = operation;
  const at = (role: TensorRole): Tensor => operand(tensors, role);
  const options = { ...layer, activation, ...(solver !== undefined && { solver }) };
  if (direction === "forward")
    return [engine.conv2d(at("x"), at("w"), bias ? { ...options, bias: at("bias") } : options)];
  const gradient = activation === "none" ? options : { ...options, output: at("activated") };
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
    case "biasGradient":
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
