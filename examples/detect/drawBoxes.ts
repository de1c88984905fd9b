/** Boxes drawn over a picture. */
import type { Bitmap } from "../filters/pictureFile.js";
import type { Box } from "./box.js";

const COLOUR = [0, 168, 84];
/** Of the frame, in pixels, inwards. */
const THICKNESS = 2;

/** A copy of the RGB bitmap with a frame just within each box; boxes lie within the bitmap. */
export function drawBoxes(bitmap: Bitmap, boxes: readonly Box[]): Bitmap {
  const data = bitmap.data.slice();
  for (const { left, top, right, bottom } of boxes) {
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const depth = Math.min(x - left, right - 1 - x, y - top, bottom - 1 - y);
        if (depth < THICKNESS) data.set(COLOUR, 3 * (y * bitmap.width + x));
      }
    }
  }
  return { ...bitmap, data };
}
