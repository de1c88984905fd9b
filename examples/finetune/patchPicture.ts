/** A picture of what becomes of patches: a row for each patch, from left to right as they were enlarged. */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { type Bitmap, writePicture } from "../filters/pictureFile.js";
import { CHANNELS, toByte } from "./photograph.js";

/** White between patches, in pixels. */
const GAP = 4;

/**
 * @param columns each the patches of one way, `[count, extent, extent, 3]`
 * @param rows which of the patches
 */
export function patchBitmap(columns: readonly Float32Array[], rows: readonly number[], extent: number): Bitmap {
  const step = extent + GAP;
  const [width, height] = [columns.length * step - GAP, rows.length * step - GAP];
  const data = new Uint8Array(width * height * CHANNELS).fill(255);
  const rowValues = extent * CHANNELS;
  columns.forEach((values, column) => {
    rows.forEach((patch, row) => {
      for (let y = 0; y < extent; y++) {
        const from = (patch * extent + y) * rowValues;
        const to = ((row * step + y) * width + column * step) * CHANNELS;
        for (let i = 0; i < rowValues; i++) data[to + i] = toByte(values[from + i]);
      }
    });
  });
  return { width, height, channels: CHANNELS, data };
}

export async function writePatches(path: string, bitmap: Bitmap): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writePicture(path, bitmap);
}
