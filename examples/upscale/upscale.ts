/** A picture through a network, by tiles, into rows of a file. */
import type { TiledResult, TileRegion } from "webgpu-conv";
import { type Module, runTiled } from "webgpu-conv/nn";
import type { Picture } from "../filters/pictureFile.js";

const CHANNELS = 3;
const WHITE = 255;

export interface UpscaleOptions {
  readonly scale: number;
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  /** Takes rows of the result, in their order: red, green and blue. */
  readonly writeRows: (pixels: Uint8Array) => void | Promise<void>;
}

/** @param network of red, green and blue from 0 to 255, channels-last */
export async function upscale(network: Module, picture: Picture, options: UpscaleOptions): Promise<TiledResult> {
  const { scale, writeRows, ...others } = options;
  const width = scale * picture.width;
  const rows = new Rows(width, writeRows);
  const result = await runTiled(
    network,
    { shape: [picture.height, picture.width, CHANNELS], read: (region) => pixelsOf(picture, region) },
    { ...others, layout: "channels-last", sink: (region, values) => rows.add(region, values) },
  );
  return result;
}

/** A region of a picture's planes, pixel by pixel. */
function pixelsOf({ width, height, planes }: Picture, { begin, end, shape }: TileRegion): Float32Array {
  const values = new Float32Array(shape.reduce((all, extent) => all * extent, 1));
  let to = 0;
  for (let y = begin[0]; y < end[0]; y++) {
    for (let x = begin[1]; x < end[1]; x++) {
      for (let channel = 0; channel < CHANNELS; channel++) {
        values[to++] = WHITE * planes[(channel * height + y) * width + x];
      }
    }
  }
  return values;
}

/** Tiles side by side, joined to rows. */
class Rows {
  readonly #width: number;
  readonly #write: (pixels: Uint8Array) => void | Promise<void>;
  #band = new Uint8Array();

  constructor(width: number, write: (pixels: Uint8Array) => void | Promise<void>) {
    this.#width = width;
    this.#write = write;
  }

  async add({ begin, end }: TileRegion, values: Float32Array): Promise<void> {
    const rowBytes = CHANNELS * this.#width;
    const rows = end[0] - begin[0];
    const tileBytes = CHANNELS * (end[1] - begin[1]);
    if (begin[1] === 0) this.#band = new Uint8Array(rows * rowBytes);
    for (let row = 0; row < rows; row++) {
      const to = row * rowBytes + CHANNELS * begin[1];
      for (let i = 0; i < tileBytes; i++) this.#band[to + i] = toByte(values[row * tileBytes + i]);
    }
    if (end[1] === this.#width) await this.#write(this.#band);
  }
}

const toByte = (value: number): number => Math.min(WHITE, Math.max(0, Math.round(value)));
