/**
 * Puts images into a buffer as they are, four bytes a pixel, without a conversion or a copy on the host.
 *
 * The browser puts bitmaps, frames, canvases and elements into a texture, and textures are copied to the buffer. All of it is
 * submitted at once, so the source may change or go as soon as the call has returned.
 */
import { ArgumentError, require, show, textOf } from "../base/errors.js";
import { isImageData } from "../problem/images.js";
import { BYTES_PER_PIXEL, type ImageSize, type ImageSource, type PixelOrder } from "../problem/pixels.js";
import type { ImageDataLike } from "../base/webgpuTypes.js";

/** In a copy of several rows each row begins at a multiple of this many bytes. */
const ROW_ALIGNMENT = 256;

const ORDERS: Readonly<Record<string, PixelOrder>> = {
  rgba8unorm: "rgba",
  "rgba8unorm-srgb": "rgba",
  bgra8unorm: "bgra",
  "bgra8unorm-srgb": "bgra",
};

const isTexture = (source: ImageSource): source is GPUTexture =>
  "createView" in source && typeof source.createView === "function";

/** The order of an image's bytes once it is in the buffer. Throws for a texture that cannot be copied. */
export function pixelOrder(source: ImageSource): PixelOrder {
  if (!isTexture(source)) return "rgba";
  const { format, usage, dimension, sampleCount, depthOrArrayLayers } = source;
  require(Object.hasOwn(ORDERS, format), () => {
    return `the texture's format is ${show(format)}; expected ${Object.keys(ORDERS).join(", ")}`;
  });
  require(typeof usage === "number" && (usage & GPUTextureUsage.COPY_SRC) !== 0, () => {
    return `the texture's usage is ${show(usage)}; expected it to have GPUTextureUsage.COPY_SRC = ${String(GPUTextureUsage.COPY_SRC)}`;
  });
  require(dimension === "2d" && sampleCount === 1 && depthOrArrayLayers === 1, () => {
    return `the texture is ${show(dimension)} with ${show(depthOrArrayLayers)} layers and ${show(sampleCount)} samples; expected 2d, 1 and 1`;
  });
  return ORDERS[format];
}

/** Writes an image to `target` at `offset` bytes. */
export function writeImage(
  device: GPUDevice,
  source: ImageSource,
  { width, height }: ImageSize,
  target: GPUBuffer,
  offset: number,
): void {
  try {
    copyImage(device, source, { width, height }, target, offset);
  } catch (cause) {
    throw new ArgumentError(`the image cannot be read: ${textOf(cause)}`, { cause });
  }
}

function copyImage(
  device: GPUDevice,
  source: ImageSource,
  { width, height }: ImageSize,
  target: GPUBuffer,
  offset: number,
): void {
  if (isImageData(source)) {
    const { buffer, byteOffset, byteLength } = source.data;
    device.queue.writeBuffer(target, offset, buffer, byteOffset, byteLength);
  } else if (isTexture(source)) {
    copyTexture(device, source, width, height, target, offset);
  } else {
    const texture = device.createTexture({
      label: "webgpu-conv image",
      size: [width, height],
      format: "rgba8unorm",
      usage: GPUTextureUsage.COPY_DST | GPUTextureUsage.COPY_SRC | GPUTextureUsage.RENDER_ATTACHMENT,
    });
    try {
      copyExternal(device, source, texture, width, height);
      copyTexture(device, texture, width, height, target, offset);
    } finally {
      texture.destroy();
    }
  }
}

/** Firefox takes neither videos nor frames (bugzilla.mozilla.org, 1975308): they are drawn on a canvas first. */
function copyExternal(
  { queue }: GPUDevice,
  source: Exclude<ImageSource, GPUTexture | ImageDataLike>,
  texture: GPUTexture,
  width: number,
  height: number,
): void {
  try {
    queue.copyExternalImageToTexture({ source }, { texture }, [width, height]);
  } catch (error) {
    const context = typeof OffscreenCanvas === "undefined" ? null : new OffscreenCanvas(width, height).getContext("2d");
    if (!(error instanceof TypeError) || !context) throw error;
    context.drawImage(source, 0, 0, width, height);
    queue.copyExternalImageToTexture({ source: context.canvas }, { texture }, [width, height]);
  }
}

function copyTexture(
  device: GPUDevice,
  texture: GPUTexture,
  width: number,
  height: number,
  target: GPUBuffer,
  offset: number,
): void {
  const encoder = device.createCommandEncoder({ label: "webgpu-conv image" });
  const rowBytes = BYTES_PER_PIXEL * width;
  if (rowBytes % ROW_ALIGNMENT === 0) {
    encoder.copyTextureToBuffer({ texture }, { buffer: target, offset, bytesPerRow: rowBytes }, [width, height]);
  } else {
    for (let y = 0; y < height; y++) {
      encoder.copyTextureToBuffer({ texture, origin: [0, y] }, { buffer: target, offset: offset + y * rowBytes }, [
        width,
      ]);
    }
  }
  device.queue.submit([encoder.finish()]);
}
