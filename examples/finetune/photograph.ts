/** Photographs, and the two ways between their sizes: reduced by a factor, and enlarged again by bicubic interpolation. */

/** Values are from 0 to 255, `[height, width, 3]`: red, green and blue as encoded (no gamma is undone). */
export interface Photograph {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
}

export const CHANNELS = 3;

/** How many times smaller, along each side, is what the network sees. */
export const FACTOR = 4;

/** Taps of a position along an axis: the first source, and a weight for each from there on. */
interface Taps {
  readonly first: number;
  readonly weights: readonly number[];
}

/** The cubic convolution kernel with a = -1/2 (R. G. Keys, 1981, "Cubic convolution interpolation for digital image processing"). */
function cubic(distance: number): number {
  const t = Math.abs(distance);
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
  return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}

/**
 * Result o lies at (o + 1/2) sources / results - 1/2. Where there are fewer results the kernel is as much wider, so that nothing finer
 * than a result aliases. Weights of sources beyond the border fall to the others: each position's sum is 1.
 */
function tapsOf(sources: number, results: number): Taps[] {
  const step = sources / results;
  const widening = Math.max(1, step);
  return Array.from({ length: results }, (_, o) => {
    const centre = (o + 0.5) * step - 0.5;
    const first = Math.max(0, Math.ceil(centre - 2 * widening));
    const last = Math.min(sources - 1, Math.floor(centre + 2 * widening));
    const raw = Array.from({ length: last - first + 1 }, (_, i) => cubic((first + i - centre) / widening));
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: raw.map((weight) => weight / total) };
  });
}

/** Weighs along the middle axis of `[outer, sources, inner]`. */
function alongAxis(values: Float32Array, outer: number, sources: number, inner: number, results: number): Float32Array {
  const result = new Float32Array(outer * results * inner);
  const taps = tapsOf(sources, results);
  for (let i = 0; i < outer; i++) {
    for (const [o, { first, weights }] of taps.entries()) {
      for (let j = 0; j < inner; j++) {
        let sum = 0;
        for (const [tap, weight] of weights.entries()) sum += weight * values[(i * sources + first + tap) * inner + j];
        result[(i * results + o) * inner + j] = sum;
      }
    }
  }
  return result;
}

/** Bicubic, widened where it reduces. Values are whole numbers from 0 to 255, as a file would have them. */
export function resize({ name, width, height, values }: Photograph, toWidth: number, toHeight: number): Photograph {
  const narrow = alongAxis(values, height, width, CHANNELS, toWidth);
  const resized = alongAxis(narrow, 1, height, toWidth * CHANNELS, toHeight);
  return { name, width: toWidth, height: toHeight, values: resized.map(toByte) };
}

/** What a picture file keeps of a value. */
export const toByte = (value: number): number => Math.min(255, Math.max(0, Math.round(value)));

/** Part of a photograph. */
export function crop(
  { name, width: stride, values }: Photograph,
  left: number,
  top: number,
  width: number,
  height: number,
): Photograph {
  const part = new Float32Array(width * height * CHANNELS);
  for (let row = 0; row < height; row++) {
    const start = ((top + row) * stride + left) * CHANNELS;
    part.set(values.subarray(start, start + width * CHANNELS), row * width * CHANNELS);
  }
  return { name, width, height, values: part };
}
