/** Images as tensors: how bytes of pixels become values, on the device and on the CPU. */
import { require, show } from "../base/errors.js";
import { listOf, type NumberList } from "../base/list.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import type { ImageDataLike } from "../base/webgpuTypes.js";
import { type Layout, readLayout } from "./layout.js";
import { BYTES_PER_PIXEL, type ImageSize, type ImageSource, type PixelOrder, type Pixels } from "./pixels.js";

/** One number for all channels, or one a channel. */
type PerChannel = number | NumberList;

/** How an image becomes a tensor. */
export interface ImageOptions {
  /** The first of red, green, blue, alpha; 3 when absent. */
  readonly channels?: 1 | 2 | 3 | 4;
  /** Subtracted from a channel, of values from 0 to 1; one for all, or one a channel. 0 when absent. */
  readonly mean?: PerChannel;
  /** Then divides it. 1 when absent. */
  readonly std?: PerChannel;
  /** Dimension order of the tensor; "channels-first" when absent. */
  readonly layout?: Layout;
}

const IMAGE_OPTIONS = optionKeys<ImageOptions>({ channels: 1, mean: 1, std: 1, layout: 1 }, { number: "channels" });

/** Reads options as torchvision's ToTensor and Normalize mean them: `(byte / 255 - mean) / std`. */
export function readPixels(options: ImageOptions, positions: number, order: PixelOrder): Pixels {
  requireOptions(options, IMAGE_OPTIONS);
  const { channels = 3, mean: means = 0, std: deviations = 1 } = options;
  require([1, 2, 3, 4].includes(channels), () => `channels is ${show(channels)}; expected 1, 2, 3 or 4`);
  const mean = readPerChannel("mean", means, channels);
  const std = readPerChannel("std", deviations, channels);
  require(std.every((value) => value !== 0), () => `std is ${show(options.std)}; expected no zero in it`);
  const fill = (values: readonly number[]): number[] => [0, 1, 2, 3].map((channel) => values.at(channel) ?? 0);
  return {
    channels,
    positions,
    layout: readLayout(options.layout),
    order,
    scale: fill(std.map((value) => 1 / (255 * value))),
    shift: fill(std.map((value, channel) => -mean[channel] / value)),
  };
}

/** One finite number a channel. Throws for other values, and for another count of them. */
export function readPerChannel(name: string, value: PerChannel, channels: number): readonly number[] {
  const values = typeof value === "number" ? new Array<number>(channels).fill(value) : [...(listOf(value) ?? [])];
  const isFinite = (one: unknown): one is number => Number.isFinite(one);
  require(values.length === channels && values.every(isFinite), () => {
    return `${name} is ${show(listOf(value) ?? value)}; expected a finite number, or one for each of ${String(channels)} channels`;
  });
  return values;
}

/** The tensor's shape: as many images as `count`, of this size. */
export function imageShape({ channels, layout }: Pixels, count: number, { height, width }: ImageSize): number[] {
  return layout === "channels-first" ? [count, channels, height, width] : [count, height, width, channels];
}

/** The values of pixels, row-major in the tensor's shape. */
export function decodePixels(bytes: Uint8Array | Uint8ClampedArray, pixels: Pixels): Float32Array<ArrayBuffer> {
  const { channels, positions, layout, order, scale, shift } = pixels;
  const count = bytes.length / BYTES_PER_PIXEL;
  const [channelStride, positionStride] = layout === "channels-first" ? [positions, 1] : [1, channels];
  const values = new Float32Array(count * channels);
  for (let pixel = 0; pixel < count; pixel++) {
    const image = Math.floor(pixel / positions);
    const base = image * positions * channels + (pixel % positions) * positionStride;
    for (let channel = 0; channel < channels; channel++) {
      const place = order === "bgra" && channel < 3 ? 2 - channel : channel;
      values[base + channel * channelStride] = bytes[BYTES_PER_PIXEL * pixel + place] * scale[channel] + shift[channel];
    }
  }
  return values;
}

/** ImageData, or what has the same fields where the class is missing. */
export function isImageData(source: ImageSource): source is ImageDataLike {
  return "data" in source;
}

/** Width and height of the picture itself, in pixels. */
export function imageSize(source: ImageSource): ImageSize {
  require(typeof source === "object" && (source as unknown) !== null, () => {
    return `image is ${show(source)}; expected ImageData, ImageBitmap, VideoFrame, a canvas, an image or video element, or a GPUTexture`;
  });
  const { width, height } = extents(source);
  const isSize = (extent: number): boolean => Number.isSafeInteger(extent) && extent >= 1;
  require(isSize(width) && isSize(height), () => {
    return `image is ${show(source)} of ${show(width)} x ${show(height)} pixels; expected at least 1 x 1: is it loaded, and not closed?`;
  });
  if (isImageData(source)) requireBytes(source);
  return { width, height };
}

function extents(source: ImageSource): ImageSize {
  if ("displayWidth" in source) return { width: source.displayWidth, height: source.displayHeight };
  if ("videoWidth" in source) return { width: source.videoWidth, height: source.videoHeight };
  if ("naturalWidth" in source) return { width: source.naturalWidth, height: source.naturalHeight };
  return source;
}

function requireBytes({ data, width, height }: ImageDataLike): void {
  const pixels: unknown = data;
  const isBytes = pixels instanceof Uint8ClampedArray || pixels instanceof Uint8Array;
  require(isBytes, () => `the image's data is ${show(pixels)}; expected a Uint8ClampedArray of RGBA bytes`);
  require(pixels.length === BYTES_PER_PIXEL * width * height, () => {
    return `the image has ${String(pixels.length)} bytes; expected 4 * width ${String(width)} * height ${String(height)}`;
  });
}

/** Images that make one batch: of one size, and of one order of bytes, as `orderOf` tells it. */
export function readImages(
  source: ImageSource | readonly ImageSource[],
  orderOf: (image: ImageSource) => PixelOrder,
): { readonly images: readonly ImageSource[]; readonly size: ImageSize; readonly order: PixelOrder } {
  const isList: boolean = Array.isArray(source);
  const images = isList ? Array.from(source as readonly ImageSource[]) : [source as ImageSource];
  require(images.length > 0, () => "images is []; expected at least one");
  const [size, ...others] = images.map(imageSize);
  const odd = others.find(({ width, height }) => width !== size.width || height !== size.height);
  require(odd === undefined, () => {
    return `images have ${show(size.width)} x ${show(size.height)} and ${show(odd?.width)} x ${show(odd?.height)} pixels; expected one size`;
  });
  const orders = new Set(images.map(orderOf));
  require(orders.size === 1, () => `images come as ${[...orders].join(" and ")}; expected one order`);
  const [order] = orders;
  return { images, size, order };
}
