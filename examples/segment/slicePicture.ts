/** The middle slice of a volume as a picture: its values, its classes, and those that the network finds, side by side. */
import { writePng } from "../upscale/pngWriter.js";
import type { Volume } from "./phantom.js";

/** Background, grey and white matter, in red, green and blue. */
const COLOURS = [
  [16, 16, 32],
  [120, 160, 120],
  [240, 220, 160],
] as const;
const WHITE = 255;
const SAMPLES = 3;
const PANELS = 3;

/** Red, green and blue of the slice with half the planes before it, `[height, 3 * width, 3]`. */
export function sliceBitmap({ extents, values, labels }: Volume, found: Uint8Array): Uint8Array {
  const [depth, height, width] = extents;
  const first = Math.floor(depth / 2) * height * width;
  const pixels = new Uint8Array(SAMPLES * PANELS * height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const voxel = first + y * width + x;
      const grey = Math.round(WHITE * Math.min(1, Math.max(0, values[voxel])));
      const panels = [[grey, grey, grey], COLOURS[labels[voxel]], COLOURS[found[voxel]]];
      for (const [panel, colour] of panels.entries()) pixels.set(colour, SAMPLES * ((y * PANELS + panel) * width + x));
    }
  }
  return pixels;
}

/** Rejects where the file cannot be written, with what was there left as it was. */
export async function writeSlice(path: string, volume: Volume, found: Uint8Array): Promise<void> {
  const [, height, width] = volume.extents;
  await writePng(path, PANELS * width, height, (png) => png.writeRows(sliceBitmap(volume, found)));
}
