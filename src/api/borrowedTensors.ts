/** Tensors from pictures, and from buffers that stay the caller's. */
import { tensorRefusal } from "../backend/limits.js";
import type { NumberList } from "../base/list.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import type { GPUBuffer } from "../base/webgpuTypes.js";
import { type DType, readDType } from "../problem/dtype.js";
import { type ImageOptions, imageShape, readImages, readPixels } from "../problem/images.js";
import { BYTES_PER_PIXEL, type ImageSource } from "../problem/pixels.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Context, requireFits } from "./context.js";
import { newExtents } from "./newTensors.js";

/** What {@link Engine.wrap} is told of a caller's buffer. */
export interface WrapOptions {
  readonly dtype?: DType;
  readonly offset?: number;
}

const WRAP_OPTIONS = optionKeys<WrapOptions>({ dtype: 1, offset: 1 }, { string: "dtype", number: "offset" });

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
