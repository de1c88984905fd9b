/** What is made larger: a picture or its middle; and a picture that shows what became of it. */
import { basename } from "node:path";
import { type Bitmap, type Picture, PictureError, readPicture } from "../filters/pictureFile.js";
import { readPhotograph } from "../finetune/materials.js";
import { patchBitmap } from "../finetune/patchPicture.js";
import { CHANNELS, type Photograph, resize } from "../finetune/photograph.js";

const WHITE = 255;

/** @throws PictureError and MaterialError for what cannot be read */
export async function readPhoto(path: string): Promise<Picture> {
  if (!/\.jpe?g$/i.test(path)) return await readPicture(path);
  const { width, height, values } = await readPhotograph(path, basename(path));
  const pixels = width * height;
  const valueOf = (_: unknown, i: number): number => values[(i % pixels) * CHANNELS + Math.floor(i / pixels)] / WHITE;
  return { width, height, planes: Float32Array.from(values, valueOf) };
}

/** The square in the middle, of so many pixels along each side. */
export function middleOf({ width, height, planes }: Picture, extent: number): Picture {
  if (extent > Math.min(width, height))
    throw new PictureError(
      `the picture has ${String(width)} x ${String(height)} pixels; expected --middle within them`,
    );
  const [left, top] = [Math.floor((width - extent) / 2), Math.floor((height - extent) / 2)];
  const part = new Float32Array(CHANNELS * extent * extent);
  for (let row = 0; row < CHANNELS * extent; row++) {
    const y = Math.floor(row / extent) * height + top + (row % extent);
    part.set(planes.subarray(y * width + left, y * width + left + extent), row * extent);
  }
  return { width: extent, height: extent, planes: part };
}

/**
 * What bicubic interpolation makes of a square picture, and beside it what the network made.
 *
 * @param larger red, green and blue of each pixel, `scale` times as many along each side
 */
export function besideBicubic({ width: extent, planes }: Picture, larger: Uint8Array, scale: number): Bitmap {
  const pixels = extent * extent;
  const values = Float32Array.from(planes, (_, i) =>
    Math.round(WHITE * planes[(i % CHANNELS) * pixels + Math.floor(i / CHANNELS)]),
  );
  const photograph: Photograph = { name: "", width: extent, height: extent, values };
  const bicubic = resize(photograph, scale * extent, scale * extent);
  return patchBitmap([bicubic.values, Float32Array.from(larger)], [0], scale * extent);
}
