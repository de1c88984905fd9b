/** Tensors from values, and new values for them. */
import { tensorRefusal } from "../backend/limits.js";
import { require, show } from "../base/errors.js";
import { listOf, type NumberList } from "../base/list.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import { BYTES_PER_ELEMENT, type DType, readDType } from "../problem/dtype.js";
import { readExtents } from "../problem/shapes.js";
import { requireTensor, type Tensor } from "../tensor/tensor.js";
import { type DataOptions, readValues, type TensorData } from "../tensor/values.js";
import { type Context, requireFits } from "./context.js";
import type { ForwardCore } from "./forwardCore.js";

/** How {@link Engine.tensor} stores its values, and what they are. */
export interface TensorOptions extends DataOptions {
  /** "float32" when absent. */
  readonly dtype?: DType;
  /**
   * Whether the host keeps a copy of the values, and of what is written later: an engine that recovers (`recover: true`) restores
   * it after the loss of a device, unless an operation has changed the tensor in place since. False when absent; without an effect on
   * other engines.
   */
  readonly keep?: boolean;
}

const TENSOR_OPTIONS = optionKeys<TensorOptions>({ dtype: 1, bits: 1, keep: 1 }, { string: "dtype" });
const WRITE_OPTIONS = optionKeys<DataOptions>({ bits: 1 }, { string: "bits" });

export function uploadValues(
  context: Context<ForwardCore>,
  data: TensorData,
  shape: NumberList,
  options: TensorOptions,
): Tensor {
  requireOptions(options, TENSOR_OPTIONS);
  const dtype = readDType(options.dtype);
  const extents = newExtents(context, shape, dtype);
  const { keep = false } = options;
  require(typeof keep === "boolean", () => `keep is ${show(keep)}; expected a boolean`);
  const values = readValues("data", data, extents, dtype, options);
  return context.adopt(extents, context.core.backend.upload(values, extents, dtype, keep));
}

export function writeValues(
  context: Context<ForwardCore>,
  tensor: Tensor,
  values: TensorData,
  options: DataOptions,
): Promise<void> {
  const { backend } = context.requireLive();
  requireTensor("tensor", tensor);
  requireOptions(options, WRITE_OPTIONS);
  const { dtype, shape } = tensor;
  require(dtype !== "rgba8unorm", () => "tensor is an image; expected values: make a new one with engine.image");
  const storage = context.storageOf(tensor);
  return backend.write(storage, readValues("values", values, shape, dtype, options, true));
}

export async function snapshotOf(context: Context<ForwardCore>, tensors: Tensor | readonly Tensor[]): Promise<void> {
  const { backend } = context.requireLive();
  const list: readonly Tensor[] = Array.isArray(tensors) ? (tensors as readonly Tensor[]) : [tensors as Tensor];
  const storages = list.map((tensor) => context.storageOf(tensor));
  require(backend.snapshot !== undefined, () => {
    return "the engine does not recover, so nothing would be restored; expected createEngine({ recover: true })";
  });
  await backend.snapshot(storages);
}

/** The extents of a new tensor, checked. */
export function newExtents(context: Context<ForwardCore>, shape: NumberList, dtype: DType): readonly number[] {
  const { backend } = context.requireLive();
  const list = listOf(shape) ?? [];
  require(list.length >= 1, () => {
    const remedy = Object.prototype.toString.call(shape) === "[object Object]" ? "; options come after it" : "";
    return `shape is ${show(shape)}; expected a list of at least one dimension${remedy}`;
  });
  const extents = readExtents("tensor", list, true);
  requireFits(tensorRefusal("tensor", extents, BYTES_PER_ELEMENT[dtype], backend));
  return extents;
}
