/**
 * Which tap each window of max pooling took, in as few bytes as exact numbers allow: several in a float32, as the integer below 2^24
 * that their bits make, the first lowest.
 */
import type { TensorSpec } from "../../../planning/tensorOperation.js";
import { elementsOf } from "../../core/volumes.js";
import { tapsOf, type Windows } from "./windows.js";

/** 4 of 6 bits for windows of up to 64 taps, 2 of 12 bits, or 1. */
export function tapsPerWord(windows: Windows): 4 | 2 | 1 {
  const taps = tapsOf(windows);
  return taps <= 2 ** 6 ? 4 : taps <= 2 ** 12 ? 2 : 1;
}

/** The most taps that a window of which they are saved may have. */
export const MOST_TAPS = 2 ** 24;

export const packedSpec = (windows: Windows): TensorSpec => ({
  shape: [Math.ceil(elementsOf(windows.output) / tapsPerWord(windows))],
  dtype: "float32",
});

/** In the place of the tap of a window without one inside: no tap has this number, or it has none inside. */
export const noTap = (windows: Windows): number => 2 ** (24 / tapsPerWord(windows)) - 1;

/** On the host. */
export function packTaps(windows: Windows, taps: readonly number[]): Float64Array {
  const perWord = tapsPerWord(windows);
  const words = new Float64Array(Math.ceil(taps.length / perWord));
  for (const [i, tap] of taps.entries()) words[Math.floor(i / perWord)] += tap * 2 ** ((24 / perWord) * (i % perWord));
  return words;
}

/** A word of taps in turn, for trials. */
export function sampleTaps(windows: Windows, word: number): number {
  const perWord = tapsPerWord(windows);
  const taps = Array.from({ length: perWord }, (_, i) => (perWord * word + i) % tapsOf(windows));
  return packTaps(windows, taps)[0];
}

/** On the host: the tap that a window took. */
export function tapIn(windows: Windows, words: ArrayLike<number>, window: number): number {
  const perWord = tapsPerWord(windows);
  const values = 2 ** (24 / perWord);
  return Math.floor(words[Math.floor(window / perWord)] / values ** (window % perWord)) % values;
}
