/** Calls: operations with their tensors by role, ready to run. */
import type { DType } from "../problem/dtype.js";
import type { Activation } from "./options.js";
import { entriesOf } from "../base/entries.js";
import { require, show } from "../base/errors.js";
import { type ConvOperation, type Direction, NOTHING_FUSED, type TensorRole } from "../problem/operation.js";
import { readSolver, type SolverChoice } from "../planning/choice.js";
import type { ConvProblem } from "../problem/problem.js";
import { requireTensor, type Tensor } from "../tensor/tensor.js";

/** Tensors by role. */
export type RoleTensors = Partial<Record<TensorRole, Tensor>>;

/** An operation ready to run. */
export interface Call {
  readonly operation: ConvOperation;
  readonly operands: RoleTensors;
  /** What the caller calls the operands, for messages. */
  readonly names: Partial<Record<TensorRole, string>>;
  readonly solver: SolverChoice | undefined;
}

/** Runs a call. The results are in the order of `resultRoles`. They have these shapes, or else the problem's. */
export type Run = (call: Call, shapes?: readonly (readonly number[])[]) => Tensor[];

/** Runs a call with one result. */
export function runOne(run: Run, call: Call, shape?: readonly number[]): Tensor {
  const [result] = run(call, shape && [shape]);
  return result;
}

/** The part of a call's options that asks for a solver. */
export interface SolverOption {
  readonly solver?: SolverChoice | undefined;
}

/** A pass over a problem with nothing fused into it. */
export function plainOperation(
  direction: Direction,
  problem: ConvProblem,
  { dtype }: { readonly dtype: DType },
): ConvOperation {
  return { ...NOTHING_FUSED, direction, problem, dtype };
}

/** The element type of an operation on `tensor`. Throws for an image: only x of a convolution may be one. */
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

/** The caller's name of a prelu's slopes. */
export const SLOPES = "activation.slope";

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
