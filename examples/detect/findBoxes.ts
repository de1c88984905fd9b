/**
 * Boxes from the network's map of probabilities, as PP-OCR makes them (`DBPostProcess` of PaddleOCR, after "Real-time Scene Text
 * Detection with Differentiable Binarization", https://arxiv.org/abs/1911.08947). Its boxes turn with the text; these have upright sides.
 */
import type { Box } from "./box.js";

/** How probable it is, for each pixel, that it lies in the middle of a line of text. */
export interface ProbabilityMap {
  readonly width: number;
  readonly height: number;
  readonly values: ArrayLike<number>;
}

export interface TextBox extends Box {
  /** Mean probability within the region's own box. */
  readonly score: number;
}

/** PP-OCRv4's own numbers (configs/det/ch_PP-OCRv4/ch_PP-OCRv4_det_student.yml). */
export const RULES = {
  /** Pixels above this are text. */
  pixelThreshold: 0.3,
  /** Regions whose boxes have a lower mean are none. */
  boxThreshold: 0.6,
  /** The network marks shrunken lines: a box grows on each side by its area times this, over its perimeter. */
  unclipRatio: 1.5,
} as const;
/** Regions whose shorter side is below are none, nor are boxes that end up shorter than two more, in pixels of the map. */
const MIN_SIDE = 3;

/**
 * Boxes of the regions of a map, in pixels of the picture that it was made from, whose extents may be others; from top to bottom.
 *
 * @param width of the picture
 * @param height of the picture
 */
export function findBoxes(map: ProbabilityMap, width: number, height: number): readonly TextBox[] {
  const across = (place: number): number => Math.min(width, Math.max(0, Math.round((place / map.width) * width)));
  const down = (place: number): number => Math.min(height, Math.max(0, Math.round((place / map.height) * height)));
  const boxes: TextBox[] = [];
  for (const region of regionsOf(map)) {
    const [wide, high] = [region.right - region.left, region.bottom - region.top];
    if (Math.min(wide, high) < MIN_SIDE) continue;
    const score = meanWithin(map, region);
    if (score < RULES.boxThreshold) continue;
    const grown = (wide * high * RULES.unclipRatio) / (2 * (wide + high));
    if (Math.min(wide, high) + 2 * grown < MIN_SIDE + 2) continue;
    boxes.push({
      left: across(region.left - grown),
      top: down(region.top - grown),
      right: across(region.right + grown),
      bottom: down(region.bottom + grown),
      score,
    });
  }
  return boxes.sort((a, b) => a.top - b.top || a.left - b.left);
}

/** The box around each region of pixels above the threshold that touch, at corners too. */
function regionsOf(map: ProbabilityMap): readonly Box[] {
  const { width, height, values } = map;
  const isOpen = Uint8Array.from(values, (value) => (value > RULES.pixelThreshold ? 1 : 0));
  const regions: Box[] = [];
  for (let start = isOpen.indexOf(1); start >= 0; start = isOpen.indexOf(1, start + 1)) {
    let [left, top, right, bottom] = [width, height, 0, 0];
    const waiting = [start];
    isOpen[start] = 0;
    for (let pixel = waiting.pop(); pixel !== undefined; pixel = waiting.pop()) {
      const [x, y] = [pixel % width, Math.floor(pixel / width)];
      [left, top] = [Math.min(left, x), Math.min(top, y)];
      [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
      for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
        for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
          const neighbour = row * width + column;
          if (isOpen[neighbour] === 0) continue;
          isOpen[neighbour] = 0;
          waiting.push(neighbour);
        }
      }
    }
    regions.push({ left, top, right, bottom });
  }
  return regions;
}

function meanWithin({ width, values }: ProbabilityMap, { left, top, right, bottom }: Box): number {
  let sum = 0;
  for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += values[y * width + x];
  return sum / ((right - left) * (bottom - top));
}
