/** A Keras layer while it becomes operations: its configuration, inputs and weights. */
import { show } from "../../base/errors.js";
import type { Layout } from "../../problem/layout.js";
import type { Padding } from "../../problem/options.js";
import type { Rank } from "../../problem/problem.js";
import type { PlainActivation } from "../graph.js";
import { floatTensor, floatValues, type SafeTensor } from "../safeTensor.js";
import { fieldOf, isNumber, isText, type Json, type Place } from "./json.js";

/** Keras' names, where an activation of this library is the same function. */
const ACTIVATIONS: Readonly<Record<string, PlainActivation>> = {
  linear: "none",
  relu: "relu",
  relu6: "relu6",
  sigmoid: "sigmoid",
  tanh: "tanh",
  elu: "elu",
  gelu: "gelu",
  swish: "silu",
  silu: "silu",
  softplus: "softplus",
};

const LAYOUTS: Readonly<Record<string, Layout>> = {
  channels_last: "channels-last",
  channels_first: "channels-first",
};

export class LayerReader {
  readonly name: string;
  readonly config: Json;
  readonly place: Place;
  /** The values that the layer reads. */
  readonly inputs: readonly string[];
  readonly #weights: ReadonlyMap<string, SafeTensor>;
  /** Weights in PyTorch's layouts, where those of all layers are collected. */
  readonly #converted: Map<string, SafeTensor>;

  constructor(
    name: string,
    config: Json,
    place: Place,
    inputs: readonly string[],
    weights: ReadonlyMap<string, SafeTensor>,
    converted: Map<string, SafeTensor>,
  ) {
    this.name = name;
    this.config = config;
    this.place = place;
    this.inputs = inputs;
    this.#weights = weights;
    this.#converted = converted;
  }

  /** The value that it reads, where it reads one. */
  get x(): string {
    if (this.inputs.length !== 1) throw this.place.error(`has ${String(this.inputs.length)} inputs; expected one`);
    return this.inputs[0];
  }

  /**
   * A weight of the layer with its axes in another order: axis i of the result is axis `order[i]` of the file's.
   *
   * @param role PyTorch's name for it
   * @returns its name in the graph
   */
  weight(suffix: string, role: string, order: readonly number[]): string {
    const { tensor, name: stored } = this.#find(suffix);
    if (tensor.shape.length !== order.length)
      throw this.place.error(
        `has ${show(stored)} of shape ${show(tensor.shape)}; expected ${String(order.length)} axes`,
      );
    return this.#add(role, permuted(tensor, order));
  }

  /** Likewise, in another shape afterwards. */
  reshapedWeight(
    suffix: string,
    role: string,
    order: readonly number[],
    shapeOf: (shape: readonly number[]) => readonly number[],
  ): string {
    const name = this.weight(suffix, role, order);
    const { dtype, shape, bytes } = this.#converted.get(name) ?? this.stored(suffix);
    return this.#add(role, { dtype, shape: shapeOf(shape), bytes });
  }

  /** The shape of a weight that {@link weight} has named. */
  shapeOf(name: string): readonly number[] {
    return this.#converted.get(name)?.shape ?? [];
  }

  /** A weight as the file has it. */
  stored(suffix: string): SafeTensor {
    return this.#find(suffix).tensor;
  }

  bias(): { bias?: string } {
    return this.flag("use_bias", true) ? { bias: this.weight("bias", "bias", [0]) } : {};
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.config[name] ?? fallback;
    if (typeof value !== "boolean") throw this.place.error(`has ${name} ${show(value)}; expected true or false`);
    return value;
  }

  number(name: string, fallback?: number): number {
    return fieldOf(this.config, name, isNumber, this.place, fallback);
  }

  /** One number an axis: one alone is for each. */
  perAxis(name: string, rank: Rank, fallback: number): readonly number[] {
    const value = this.config[name] ?? fallback;
    const list = Array.isArray(value) ? (value as unknown[]) : new Array<unknown>(rank).fill(value);
    if (list.length !== rank || !list.every((one) => Number.isSafeInteger(one) && (one as number) >= 1))
      throw this.place.error(`has ${name} ${show(value)}; expected ${String(rank)} integers of at least 1`);
    return list as number[];
  }

  layout(): Layout {
    const name = fieldOf(this.config, "data_format", isText, this.place, "channels_last");
    if (!Object.hasOwn(LAYOUTS, name))
      throw this.place.error(`has data_format ${show(name)}; expected channels_last or channels_first`);
    return LAYOUTS[name];
  }

  /** "same" puts the odd one at the end, as TensorFlow does and `"same"` here. */
  padding(): Padding {
    const padding = fieldOf(this.config, "padding", isText, this.place, "valid");
    if (padding !== "same" && padding !== "valid")
      throw this.place.error(`has padding ${show(padding)}; expected "same" or "valid"`);
    return padding;
  }

  /** Applied to its result; undefined where there is none. Softmax is none that goes element by element. */
  activation(): PlainActivation | "softmax" | undefined {
    const name = this.config.activation ?? "linear";
    if (name === "linear") return undefined;
    if (name === "softmax") return name;
    if (typeof name !== "string" || !Object.hasOwn(ACTIVATIONS, name))
      throw this.place.error(
        `has activation ${show(name)}; expected one of ${Object.keys(ACTIVATIONS).join(", ")}, softmax`,
      );
    return ACTIVATIONS[name];
  }

  /** The file's names are "layer/kernel", or have scopes before that. */
  #find(suffix: string): { readonly tensor: SafeTensor; readonly name: string } {
    const wanted = `${this.name}/${suffix}`;
    const found = [...this.#weights].find(([name]) => name === wanted || name.endsWith(`/${wanted}`));
    if (!found) throw this.place.error(`has no weight ${show(wanted)} in the manifest`);
    const [name, tensor] = found;
    return { tensor, name };
  }

  #add(role: string, tensor: SafeTensor): string {
    const name = `${this.name}.${role}`;
    this.#converted.set(name, tensor);
    return name;
  }
}

/** The tensor with its axes in another order: axis i of the result is axis `order[i]`. */
export function permuted(tensor: SafeTensor, order: readonly number[]): SafeTensor {
  const { shape } = tensor;
  const source = floatValues(tensor);
  const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((step, extent) => step * extent, 1));
  const result = new Float32Array(source.length);
  const extents = order.map((axis) => shape[axis]);
  const strides = order.map((axis) => steps[axis]);
  const index = extents.map(() => 0);
  let from = 0;
  for (let i = 0; i < result.length; i++) {
    result[i] = source[from];
    for (let axis = extents.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < extents[axis]) break;
      from -= strides[axis] * extents[axis];
      index[axis] = 0;
    }
  }
  return floatTensor(result, extents);
}
