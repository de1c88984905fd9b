/** Pictures side by side in a grid, each under its name. */
import { drawText, GLYPH_HEIGHT } from "./font.js";
import type { Bitmap } from "./pictureFile.js";

export interface SheetEntry {
  readonly label: string;
  readonly bitmap: Bitmap;
}

const COLUMNS = 4;
const GAP = 8;
const LETTER_SCALE = 2;
const LABEL_HEIGHT = GLYPH_HEIGHT * LETTER_SCALE + 6;
/** Pictures are shown at most this wide or high, made smaller by a whole factor. */
const LARGEST_CELL = 200;
const PAPER = 248;
const INK = 40;
/** Values are rounded to multiples of this: 64 levels look the same and take half the bytes. */
const LEVEL_STEP = 4;

/** All pictures must have the same size. */
export function contactSheet(entries: readonly SheetEntry[]): Bitmap {
  const { width, height } = entries[0].bitmap;
  const factor = Math.ceil(Math.max(width, height) / LARGEST_CELL);
  const cellWidth = Math.ceil(width / factor);
  const cellHeight = Math.ceil(height / factor);
  const rows = Math.ceil(entries.length / COLUMNS);
  // A label may be wider than a tiny picture.
  const pitch = GAP + Math.max(cellWidth, ...entries.map(({ label }) => 4 * LETTER_SCALE * label.length));
  const sheet = {
    width: GAP + COLUMNS * pitch,
    height: GAP + rows * (cellHeight + LABEL_HEIGHT + GAP),
    channels: 3 as const,
  };
  const data = new Uint8Array(3 * sheet.width * sheet.height).fill(PAPER);
  entries.forEach(({ label, bitmap }, index) => {
    const left = GAP + (index % COLUMNS) * pitch;
    const top = GAP + Math.floor(index / COLUMNS) * (cellHeight + LABEL_HEIGHT + GAP);
    const put = (x: number, y: number, channel: number, value: number): void => {
      data[3 * ((top + y) * sheet.width + left + x) + channel] = value;
    };
    drawText(label, (x, y) => {
      for (let i = 0; i < 3 * LETTER_SCALE * LETTER_SCALE; i++) {
        const pixel = Math.floor(i / 3);
        put(x * LETTER_SCALE + (pixel % LETTER_SCALE), y * LETTER_SCALE + Math.floor(pixel / LETTER_SCALE), i % 3, INK);
      }
    });
    for (let i = 0; i < 3 * cellWidth * cellHeight; i++) {
      const x = Math.floor(i / 3) % cellWidth;
      const y = Math.floor(i / (3 * cellWidth));
      put(x, LABEL_HEIGHT + y, i % 3, blockMean(bitmap, x, y, i % 3, factor));
    }
  });
  return { ...sheet, data };
}

/** Mean, in steps, of the block of `factor` x `factor` pixels that falls into (x, y), as far as it lies in the bitmap. */
function blockMean(
  { width, height, channels, data }: Bitmap,
  x: number,
  y: number,
  channel: number,
  factor: number,
): number {
  const right = Math.min(width, (x + 1) * factor);
  const bottom = Math.min(height, (y + 1) * factor);
  let sum = 0;
  for (let row = y * factor; row < bottom; row++) {
    for (let column = x * factor; column < right; column++) {
      sum += data[channels * (row * width + column) + Math.min(channel, channels - 1)];
    }
  }
  const mean = sum / ((right - x * factor) * (bottom - y * factor));
  return Math.min(255, Math.round(mean / LEVEL_STEP) * LEVEL_STEP);
}
