/** Pictures as samples: bytes of decoded files, and in pages canvases, bitmaps, video and camera frames. */
import { require, show } from "../../base/errors.js";
import { listOf } from "../../base/list.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { imageSize, isImageData } from "../../problem/images.js";
import type { ImageSource } from "../../problem/pixels.js";
import type { SampleShape } from "./dataset.js";

/** A decoded picture: rows of pixels from the top, each of 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA) values. */
export interface DecodedPicture {
  readonly width: number;
  readonly height: number;
  /** What a decoder that leaves places in a palette as they are gives besides, as fast-png does: such a picture is refused. */
  readonly palette?: unknown;
  /** Bits of a value: 8 or 16, where a decoder says it. */
  readonly depth?: number | undefined;
  /** From 0 to 255, or to 65,535 in 16 bits. */
  readonly data: Uint8Array | Uint8ClampedArray | Uint16Array;
}

/** A picture's values from 0 to 1, `[channels, height, width]`, and their shape. */
export interface Picture {
  readonly x: Float32Array;
  readonly shape: SampleShape;
}

/** How much red, green and blue count in gray: ITU-R BT.601, as in PIL and torchvision. */
export const LUMA = [0.299, 0.587, 0.114] as const;

/**
 * A decoded picture's values. Alpha is left out; colours become gray by their luma, and gray becomes three equal channels.
 *
 * @throws ArgumentError where the data do not fit width and height, or are no values: places in a palette, pixels of fewer bits
 */
export function pictureValues(picture: DecodedPicture, channels: 1 | 3): Picture {
  require(typeof picture === "object" && (picture as unknown) !== null, () =>
    `the picture is ${show(picture)}; expected { width, height, data }`);
  requireChannels(channels);
  const { width, height, data, palette, depth = 8 } = picture;
  require(data instanceof Uint8Array || data instanceof Uint8ClampedArray || data instanceof Uint16Array, () =>
    `the picture's data is ${show(data)}; expected a Uint8Array, Uint8ClampedArray or Uint16Array`);
  require(palette === undefined, () =>
    "the picture's values are places in a palette; expected colours: with fast-png, decode: (bytes) => " +
    "{ const png = decode(bytes); return png.palette ? { ...png, palette: undefined, data: convertIndexedToRgb(png) } : png; }");
  require(depth === 8 || depth === 16, () =>
    `the picture has ${show(depth)} bits a value; expected 8 or 16, one value an element`);
  const pixels = width * height;
  const perPixel = data.length / pixels;
  require([1, 2, 3, 4].includes(perPixel), () =>
    `the picture has ${String(data.length)} values for ${show(width)} x ${show(height)} pixels; expected 1 to 4 for each`);
  const scale = data instanceof Uint16Array ? 65535 : 255;
  const isGray = perPixel < 3;
  const x = new Float32Array(channels * pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const at = pixel * perPixel;
    if (channels === 3) {
      for (let channel = 0; channel < 3; channel++)
        x[channel * pixels + pixel] = data[at + (isGray ? 0 : channel)] / scale;
    } else {
      const gray = isGray ? data[at] : LUMA[0] * data[at] + LUMA[1] * data[at + 1] + LUMA[2] * data[at + 2];
      x[pixel] = gray / scale;
    }
  }
  return { x, shape: [channels, height, width] };
}

export function requireChannels(channels: 1 | 3): void {
  require(([1, 3] as readonly unknown[]).includes(channels), () => `channels is ${show(channels)}; expected 1 or 3`);
}

/** How {@link readPicture} reads. */
export interface PictureOptions {
  /** Gray (1), or red, green and blue (3, by default). */
  readonly channels?: 1 | 3 | undefined;
  /** Height and width that the picture is scaled to; its own by default. */
  readonly size?: readonly [height: number, width: number] | undefined;
}
const PICTURE_KEYS = optionKeys<PictureOptions>({ channels: 1, size: 1 }, { number: "channels" });

/**
 * A picture that the page has, as a sample: what `engine.image` takes, but for textures, which the GPU alone reads. It is drawn
 * on a canvas of the size, unless it is ImageData of that size.
 *
 * @throws ArgumentError for what is no picture, has no pixels yet, or cannot be drawn here
 */
export function readPicture(source: ImageSource, options: PictureOptions = {}): Picture {
  requireOptions(options, PICTURE_KEYS);
  const own = imageSize(source);
  const { channels = 3, size = [own.height, own.width] } = options;
  requireChannels(channels);
  const extents: readonly unknown[] = listOf(size) ?? [];
  require(extents.length === 2 &&
    extents.every((extent) => Number.isSafeInteger(extent) && (extent as number) > 0), () =>
    `size is ${show(size)}; expected [height, width], whole numbers from 1 on`);
  const [height, width] = size;
  const isData = isImageData(source);
  if (isData && own.height === height && own.width === width)
    return pictureValues({ height, width, data: source.data }, channels);
  require(!("createView" in source), () => "the picture is a GPUTexture, which no canvas draws; engine.image takes it");
  const context =
    typeof OffscreenCanvas === "undefined"
      ? null
      : new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  require(context !== null, () =>
    `${show(source)} cannot be drawn: there is no OffscreenCanvas here; give ImageData of the size`);
  context.drawImage(isData ? canvasOf(source as ImageData) : source, 0, 0, width, height);
  return pictureValues({ height, width, data: context.getImageData(0, 0, width, height).data }, channels);
}

/** ImageData on a canvas of its size, from which it can be scaled. */
function canvasOf(source: ImageData): OffscreenCanvas {
  const canvas = new OffscreenCanvas(source.width, source.height);
  canvas.getContext("2d")?.putImageData(source, 0, 0);
  return canvas;
}
