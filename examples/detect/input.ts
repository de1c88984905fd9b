/**
 * A picture as what the network takes, as PP-OCR prepares it (`DetResizeForTest` and `NormalizeImage` of PaddleOCR, with the numbers
 * of tools/infer/predict_det.py and configs/det/ch_PP-OCRv4).
 */
import type { Picture } from "../filters/pictureFile.js";

/** Of ImageNet. PP-OCR reads pictures blue, green, red, and takes these in that order all the same: so was the network trained. */
const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];
/** The network halves a picture five times. */
const STEP = 32;
/** Larger pictures are made smaller. */
const LONGEST_SIDE = 960;

export interface NetworkInput {
  readonly width: number;
  readonly height: number;
  /** `[1, 3, height, width]`: blue, green, red. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** The extents that the network gets for a picture of these: multiples of 32, near the picture's own where these are at most 960. */
export function inputSize(width: number, height: number): readonly [width: number, height: number] {
  const ratio = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  const extent = (own: number): number => Math.max(STEP, Math.round(Math.floor(own * ratio) / STEP) * STEP);
  return [extent(width), extent(height)];
}

/** Resizes to {@link inputSize} and makes `(value - mean) / std` of each value. */
export function prepareInput(picture: Picture): NetworkInput {
  const [width, height] = inputSize(picture.width, picture.height);
  const { planes } = resize(picture, width, height);
  const pixels = width * height;
  const values = new Float32Array(3 * pixels);
  for (let i = 0; i < values.length; i++) {
    const channel = Math.floor(i / pixels);
    const colour = planes[(2 - channel) * pixels + (i % pixels)];
    values[i] = (colour - MEAN[channel]) / STD[channel];
  }
  return { width, height, values };
}

/** Linear interpolation between the four pixels around, pixels' centres at halves, as OpenCV's `INTER_LINEAR` but for its rounding. */
function resize(picture: Picture, width: number, height: number): Picture {
  if (width === picture.width && height === picture.height) return picture;
  const planes = new Float32Array(3 * width * height);
  const columns = samples(picture.width, width);
  const rows = samples(picture.height, height);
  let i = 0;
  for (let plane = 0; plane < 3; plane++) {
    for (const row of rows) {
      const first = (plane * picture.height + row.at) * picture.width;
      const second = (plane * picture.height + row.next) * picture.width;
      for (const { at, next, share } of columns) {
        const above = mix(picture.planes[first + at], picture.planes[first + next], share);
        const below = mix(picture.planes[second + at], picture.planes[second + next], share);
        planes[i++] = mix(above, below, row.share);
      }
    }
  }
  return { width, height, planes };
}

const mix = (a: number, b: number, share: number): number => a + (b - a) * share;

/** Between which two places each new one lies, and how near the second. */
function samples(from: number, to: number): readonly { readonly at: number; readonly next: number; share: number }[] {
  return Array.from({ length: to }, (_, i) => {
    const place = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
    const at = Math.floor(place);
    return { at, next: Math.min(from - 1, at + 1), share: place - at };
  });
}
