/** float16: how values are rounded to it, and how far a correct result may lie from the reference's. */
import { fromHalfBits, toHalfBits } from "../../src/base/half.js";
import { type Fill, reals } from "./data.js";

/** The smallest normal number: devices may take smaller ones for zero. */
const LEAST_NORMAL = 2 ** -14;

export const roundToHalf = (value: number): number => fromHalfBits(toHalfBits(value));

/** Reals in [-1, 1) that float16 has, none so small that a device may take it for zero. */
export const halfReals: Fill = (random, count) =>
  reals(random, count).map((value) => (Math.abs(value) < LEAST_NORMAL ? 0 : roundToHalf(value)));

/** Half the distance between the float16 numbers around a magnitude. */
function halfUlp(magnitude: number): number {
  return 2 ** (Math.max(Math.floor(Math.log2(magnitude)), -14) - 11);
}

/**
 * How far results stored in float16 may lie from the true ones: the sum, kept in float32, lies within its own bound of
 * the true one and is then rounded to the nearest float16, which moves it by at most half a unit in the last place of
 * what it was. A result below the normal numbers may be stored as zero.
 */
export function halfBound(expected: Float64Array, float32Bound: Float64Array): Float64Array {
  return expected.map((value, i) => {
    const most = Math.abs(value) + float32Bound[i];
    return float32Bound[i] + (most < LEAST_NORMAL ? most : halfUlp(most));
  });
}
