/** Tensors from what a caller has: values, pictures, buffers; and new values for them. */
import { tensorRefusal } from "../backend/limits.js";
import { require, show } from "../base/errors.js";
import { listOf, type NumberList } from "../base/list.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import type { GPUBuffer } from "../base/webgpuTypes.js";
import { BYTES_PER_ELEMENT, type DType, readDType } from "../problem/dtype.js";
import {
  BYTES_PER_PIXEL,
  type ImageOptions,
  imageShape,
  type ImageSource,
  readImages,
  readPixels,
} from "../problem/pixels.js";
import { readExtents } from "../problem/shapes.js";
import { requireTensor, type Tensor } from "../tensor/tensor.js";
import { type DataOptions, readValues, type TensorData } from "../tensor/values.js";
import { type Context, requireFits } from "./context.js";

/** How {@link Engine.tensor} stores its values, and what they are. */
export interface TensorOptions extends DataOptions {
  /** "float32" when absent. */
  readonly dtype?: DType;
}

/** What {@link Engine.wrap} is told of a caller's buffer. */
export interface WrapOptions {
  readonly dtype?: DType;
  readonly offset?: number;
}

const TENSOR_OPTIONS = optionKeys<TensorOptions>({ dtype: 1, bits: 1 }, { string: "dtype" });
const WRITE_OPTIONS = optionKeys<DataOptions>({ bits: 1 }, { string: "bits" });
const WRAP_OPTIONS = optionKeys<WrapOptions>({ dtype: 1, offset: 1 }, { string: "dtype", number: "offset" });

export function uploadValues(context: Context, data: TensorData, shape: NumberList, options: TensorOptions): Tensor {
  requireOptions(options, TENSOR_OPTIONS);
  const dtype = readDType(options.dtype);
  const extents = newExtents(context, shape, dtype);
  const values = readValues("data", data, extents, dtype, options);
  return context.adopt(extents, context.core.backend.upload(values, extents, dtype));
}

export function writeValues(context: Context, tensor: Tensor, values: TensorData, options: DataOptions): Promise<void> {
  const { backend } = context.requireLive();
  requireTensor("tensor", tensor);
  requireOptions(options, WRITE_OPTIONS);
  const { dtype, shape } = tensor;
  require(dtype !== "rgba8unorm", () => "tensor is an image; expected values: make a new one with engine.image");
  const storage = context.storageOf(tensor);
  return backend.write(storage, readValues("values", values, shape, dtype, options, true));
}

export function uploadImages(
  context: Context,
  source: ImageSource | readonly ImageSource[],
  options: ImageOptions,
): Tensor {
  const { backend } = context.requireLive();
  const { images, size, order } = readImages(source, (image) => backend.pixelOrder(image));
  const pixels = readPixels(options, size.width * size.height, order);
  const shape = [images.length, size.height, size.width];
  requireFits(tensorRefusal("the image", shape, BYTES_PER_PIXEL, backend));
  return context.adopt(imageShape(pixels, images.length, size), backend.uploadImages(images, size, pixels));
}

export function wrapBuffer(context: Context, buffer: GPUBuffer, shape: NumberList, options: WrapOptions): Tensor {
  requireOptions(options, WRAP_OPTIONS);
  const dtype = readDType(options.dtype);
  const extents = newExtents(context, shape, dtype);
  const { offset = 0 } = options;
  return context.adopt(extents, context.core.requireGpu("wrap").wrap(buffer, offset, extents, dtype));
}

/** The extents of a new tensor, checked. */
function newExtents(context: Context, shape: NumberList, dtype: DType): readonly number[] {
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
