/** Inputs of what is recorded once: tensors of the recording, to which each run gives new values. */
import type { Engine } from "../../api/engine.js";
import { isObject } from "../../base/entries.js";
import { require, show } from "../../base/errors.js";
import { listOf, type NumberList } from "../../base/list.js";
import type { DType, StoredValues } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import { readExtents } from "../../problem/shapes.js";
import type { Tensor } from "../../tensor/tensor.js";
import { readValues, type TensorData } from "../../tensor/values.js";

/** Shapes of inputs, by name. */
export type InputShapes<Name extends string> = Readonly<Record<Name, NumberList>>;

/** An input, and the values that it gets. */
export interface InputValues {
  readonly name: string;
  readonly tensor: Tensor;
  readonly values: StoredValues;
}

/**
 * Makes the inputs, and what `make` makes with them. Where that throws, they are given back.
 *
 * @param shapes by name
 */
export async function withInputs<Name extends string, Result>(
  engine: Engine,
  shapes: InputShapes<Name>,
  make: (inputs: Readonly<Record<Name, Tensor>>) => Promise<Result>,
  dtype: DType = "float32",
): Promise<Result> {
  const made: Record<string, Tensor> = {};
  try {
    for (const [name, list] of Object.entries<NumberList>(shapes)) {
      const shape = readExtents(name, listOf(list) ?? [list], true);
      made[name] = engine.tensor(new Float32Array(product(shape)), shape, { dtype, keep: true });
    }
    return await make(made as Record<Name, Tensor>);
  } catch (error) {
    for (const tensor of Object.values(made)) tensor.dispose();
    throw error;
  }
}

/**
 * A run's values, copied: the caller may change them afterwards. Throws for what does not fit: nothing has happened then.
 *
 * @param names of the inputs that must have values; all of them when absent
 */
export function readInputs<Name extends string>(
  inputs: Readonly<Record<Name, Tensor>>,
  values: Readonly<Partial<Record<Name, TensorData>>>,
  names = Object.keys(inputs) as Name[],
): InputValues[] {
  require(isObject(values), () => `run() got ${show(values)}; expected values by name: { ${names.join(", ")} }`);
  const missing = names.find((name) => values[name] === undefined);
  require(missing === undefined, () => `run() lacks values for ${String(missing)}; expected ${names.join(", ")}`);
  return names.map((name) => {
    const tensor = inputs[name];
    return { name, tensor, values: copyOf(name, values[name], tensor) };
  });
}

/** In float32, whatever the tensor has: writing rounds. */
const copyOf = (name: string, data: unknown, { shape }: Tensor): StoredValues =>
  readValues(name, data, shape, "float32", {}, true);
