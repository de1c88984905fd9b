/** Distance between values of a dtype in units in the last place, as web-platform-tests counts it. */
import type { DType } from "webgpu-conv";
import { toHalfBits } from "../../src/base/half.js";

const bits = new DataView(new ArrayBuffer(4));

/** Position of a value, rounded to the dtype, in the sequence of all the dtype's values; -0 and 0 share one. */
function ordinal(value: number, dtype: DType): number {
  if (dtype === "float16") {
    const pattern = toHalfBits(value);
    return pattern & 0x8000 ? -(pattern & 0x7fff) : pattern;
  }
  bits.setFloat32(0, value);
  const pattern = bits.getInt32(0);
  return pattern < 0 ? -(pattern & 0x7fffffff) : pattern;
}

/** Values of the dtype from one to the other; Infinity where either is NaN. */
export function ulpDistance(a: number, b: number, dtype: DType = "float32"): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Infinity;
  return Math.abs(ordinal(a, dtype) - ordinal(b, dtype));
}

/** The largest {@link ulpDistance} between the elements of two lists; Infinity where their lengths differ. */
export function largestUlpDistance(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  dtype: DType = "float32",
): number {
  if (actual.length !== expected.length) return Infinity;
  return Array.from(expected).reduce((largest, value, i) => Math.max(largest, ulpDistance(actual[i], value, dtype)), 0);
}
