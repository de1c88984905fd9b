/** Whether results of integers are right. */
import type { ConvOperation } from "../problem/operation.js";

/** The first element that is wrong. */
export interface Mismatch {
  readonly index: number;
  readonly got: number;
  readonly expected: number;
}

/**
 * True sums are integers, so that a wrong one is off by 1 or more. Solvers that differ in the order of summation give these integers;
 * Winograd's err by 2^-24 of the terms' magnitudes, hundreds at most, some tens of times (docs/accuracy.md).
 */
const SLACK = 2 ** -4;
/** float16 rounds by 2^-11 of a value, and shaders' exponentials and divisions by less. */
const ROUNDING = 2 ** -8;
const LARGEST_HALF = 65_504;

/** The first wrong element; undefined where there is none. NaN is wrong: kernels are tried on memory that is full of it. */
export function firstMismatch(
  got: Float32Array,
  expected: Float64Array,
  { activation, dtype, pixels }: ConvOperation,
): Mismatch | undefined {
  const rounds = !["none", "relu"].includes(activation.name) || dtype === "float16" || pixels !== undefined;
  let largest = 0;
  // Normalised pixels are no integers, and their sums may cancel: they err by the largest sum.
  if (pixels) for (const value of expected) largest = Math.max(largest, Math.abs(value) || 0);
  for (let index = 0; index < expected.length; index++) {
    const value = expected[index];
    const bound = SLACK + (rounds ? ROUNDING * Math.max(1, largest, Math.abs(value)) : 0);
    // Not computed: all that is known is that the kernel wrote it.
    if (Number.isNaN(value) && !Number.isNaN(got[index])) continue;
    // Beyond what float16 holds there are infinities.
    if (dtype === "float16" && Math.abs(value) > LARGEST_HALF) continue;
    if (got[index] === value || Math.abs(got[index] - value) <= bound) continue;
    return { index, got: got[index], expected: value };
  }
  return undefined;
}
