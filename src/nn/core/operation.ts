/** Operations of networks: made with their keys, and run on an engine's tensors. */
import { Context, requireFits } from "../../api/context.js";
import { Engine } from "../../api/engine.js";
import { EngineCore } from "../../api/engineCore.js";
import { memoryOf, type TensorStorage } from "../../backend/backend.js";
import { tensorRefusal } from "../../backend/limits.js";
import { require, show } from "../../base/errors.js";
import { dataKey } from "../../base/keys.js";
import type { Resize, TensorOperation, TensorSpec } from "../../planning/tensorOperation.js";
import { BYTES_PER_ELEMENT, type DType, encode } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import { requireTensor, Tensor } from "../../tensor/tensor.js";
import type { TriedTensors } from "../../vetting/experiment.js";
import { tensorExperiment } from "../../vetting/tensorExperiment.js";
import { portable } from "./conversions.js";

/** An operation without its key. */
export interface OperationParts extends Omit<TensorOperation, "key"> {
  /** All that its plan depends on besides its tensors. */
  readonly options: Readonly<Record<string, unknown>>;
}

export function makeOperation({ options, ...parts }: OperationParts): TriedTensors {
  const { operands, results, updates, solvers } = parts;
  const operation: TensorOperation = {
    ...parts,
    key: dataKey([options, operands, results, updates]),
    solvers: solvers.map((solver) => portable(solver, parts)),
  };
  return { ...operation, experiment: (plan, ground) => tensorExperiment(operation, plan, ground) };
}

/** The engine of a tensor, as operations work with it. Throws for a tensor of an engine that has none of them. */
export function contextOf(tensor: Tensor, name: string): Context {
  requireTensor(name, tensor);
  const core = Tensor.ownerOf(tensor);
  require(core instanceof EngineCore, () => {
    return `${name} belongs to an engine for forward passes; expected one that createEngine of webgpu-conv made`;
  });
  return new Context(core);
}

/** The core of an engine. Throws for one that has no operations of networks. */
export function coreOf(engine: Engine): EngineCore {
  const core = Engine.coreOf(engine);
  require(core !== undefined, () => `engine is ${show(engine)}; expected one that createEngine of webgpu-conv made`);
  return core;
}

/** Shape and element type of a tensor of values. Throws for an image. */
export function specOf(tensor: Tensor, name: string): TensorSpec {
  requireTensor(name, tensor);
  const { shape, dtype } = tensor;
  require(dtype !== "rgba8unorm", () => {
    return `${name} is an image (${dtype}); expected float32 or float16 values: only a convolution reads an image`;
  });
  return { shape, dtype };
}

/** Likewise with other extents. */
export const resizedSpec = (spec: TensorSpec, to: Resize): TensorSpec => ({
  ...spec,
  shape: spec.shape.map((extent) => to(extent)),
});

/** Values in trials of what a root is taken of, or labels: from 1 to 3. */
export const positive = (element: number): number => 1 + (element % 3);

/** Throws unless the tensor's values are of that type. */
export function requireDType(name: string, tensor: Tensor, dtype: DType, like: string): void {
  require(tensor.dtype === dtype, () => `${name} is ${tensor.dtype}; expected ${dtype}, as ${like}`);
}

/**
 * Records an operation. Nothing is read back, and nothing waits.
 *
 * @param operands by name, of one engine, with the shapes and types that the operation has
 * @param names what the caller calls operands, for messages; their own names when absent
 * @returns its results, new tensors in its order
 */
export function runOperation(
  operation: TensorOperation,
  operands: Readonly<Record<string, Tensor>>,
  names: Readonly<Record<string, string>> = {},
): Tensor[] {
  const list = Object.entries(operands);
  const [[first, tensor]] = list;
  const context = contextOf(tensor, names[first] ?? first);
  const core = context.requireLive();
  const storages: Record<string, TensorStorage> = {};
  for (const [name, operand] of list) {
    storages[name] = operand.storage(core, names[name] ?? name);
    core.operands?.add(operand);
  }
  const { updates = [] } = operation;
  for (const updated of updates) {
    const changed = storages[updated];
    // A dispatch may change several parts of a buffer, but not change one and read another.
    const twin = list.find(([name]) => {
      const other = storages[name];
      return (
        name !== updated && (updates.includes(name) ? overlap(changed, other) : memoryOf(changed) === memoryOf(other))
      );
    });
    require(twin === undefined, () => {
      const [changed, other] = [updated, twin?.[0] ?? ""].map((name) => names[name] ?? name);
      return `${changed} and ${other} share memory; expected tensors apart, since ${operation.name} changes ${changed} in place`;
    });
  }
  const results = Object.values(operation.results);
  for (const { shape, dtype } of results) {
    requireFits(tensorRefusal("the result", shape, BYTES_PER_ELEMENT[dtype], core.backend));
  }
  const isEmpty = list.some(([, { size }]) => size === 0);
  const made = isEmpty ? ofNothing(context, operation) : core.backend.runTensors(operation, storages);
  return results.map(({ shape }, i) => context.adopt(shape, made[i]));
}

/** Whether two storages have elements in common. */
export function overlap(one: TensorStorage, other: TensorStorage): boolean {
  const { begin = 0 } = one;
  const { begin: otherBegin = 0 } = other;
  return memoryOf(one) === memoryOf(other) && begin < otherBegin + other.size && otherBegin < begin + one.size;
}

/** Runs an operation with one result. */
export function runOne(...given: Parameters<typeof runOperation>): Tensor {
  const [result] = runOperation(...given);
  return result;
}

/** Of an empty batch: tensors without values, sums of nothing, which are 0, and means, which are NaN. No other values count. */
function ofNothing({ core: { backend } }: Context, { operands, results, compute }: TensorOperation): TensorStorage[] {
  const noValues = Object.entries(operands).map(
    ([name, { shape }]) => [name, new Float64Array(product(shape))] as const,
  );
  const computed = compute(Object.fromEntries(noValues));
  return Object.entries(results).map(([name, { shape, dtype }]) => {
    return backend.upload(encode(Float64Array.from(computed[name]), dtype), shape, dtype);
  });
}

/** "[1, 3, 8, 8]". */
export const showShape = (shape: readonly number[]): string => show([...shape]);
