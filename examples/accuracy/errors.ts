/** How far results lie from the float64 reference. */
import type { DType } from "webgpu-conv";

/** Errors of the elements of a result. */
export interface Errors {
  /** In units in the last place of the dtype at the exact value: of half of the elements at most so much, and of all. */
  readonly medianUlps: number;
  readonly mostUlps: number;
  /** Root of the mean square of the errors, over that of the exact values. */
  readonly relativeRms: number;
  /** The largest part of its bound that an element takes. */
  readonly ofBound: number;
}

/** Bits of a significand after the first, and the least exponent of a normal number. */
const FORMATS = { float32: { bits: 23, least: -126 }, float16: { bits: 10, least: -14 } } as const;

/** The distance of neighbouring values of the dtype at a value. */
export function unitInLastPlace(value: number, dtype: DType): number {
  const { bits, least } = FORMATS[dtype];
  const exponent = value === 0 ? least : Math.max(least, Math.floor(Math.log2(Math.abs(value))));
  return 2 ** (exponent - bits);
}

export function errorsOf(actual: ArrayLike<number>, exact: Float64Array, bound: Float64Array, dtype: DType): Errors {
  const differences = exact.map((value, i) => Math.abs(actual[i] - value));
  const ulps = differences.map((difference, i) => difference / unitInLastPlace(exact[i], dtype)).sort();
  const squares = (values: Float64Array): number => values.reduce((sum, value) => sum + value * value, 0);
  return {
    medianUlps: ulps[Math.floor(ulps.length / 2)],
    mostUlps: ulps[ulps.length - 1],
    relativeRms: Math.sqrt(squares(differences) / squares(exact)),
    // What float16 stores is rounded once more.
    ofBound: differences.reduce((most, difference, i) => {
      const rounding = dtype === "float16" ? unitInLastPlace(exact[i], dtype) / 2 : 0;
      return Math.max(most, difference / (bound[i] + rounding));
    }, 0),
  };
}
