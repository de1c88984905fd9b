/** What an image is as a tensor: pixels of four bytes, and what these mean. */
import type { GPUCopyExternalImageSource, GPUTexture } from "../base/webgpuTypes.js";
import type { Layout } from "./layout.js";

/** An image in the page, or a texture of the engine's device. */
export type ImageSource = GPUCopyExternalImageSource | GPUTexture;
/** In pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** Order of the bytes in a pixel. */
export type PixelOrder = "rgba" | "bgra";

/** What a tensor of pixels means: `value = byte * scale[channel] + shift[channel]`. */
export interface Pixels {
  readonly channels: number;
  /** Pixels of one image. */
  readonly positions: number;
  readonly layout: Layout;
  readonly order: PixelOrder;
  /** Four of them, as of `shift`; those of channels that the tensor lacks are not used. */
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}

export const BYTES_PER_PIXEL = 4;
