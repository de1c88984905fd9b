/** How far two results are apart. */

export interface Difference {
  /** The largest difference between two values at the same place. */
  readonly absolute: number;
  /** That over the largest magnitude of the expected values. */
  readonly relative: number;
}

/** Relative differences beyond this are an error. */
export const MOST_RELATIVE = 1e-4;

/** @throws Error where there are not as many values of the one as of the other. */
export function differenceOf(actual: ArrayLike<number>, expected: ArrayLike<number>): Difference {
  if (actual.length !== expected.length)
    throw new Error(`there are ${String(actual.length)} values to compare; expected ${String(expected.length)}`);
  let [absolute, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const apart = Math.abs(actual[i] - expected[i]);
    // NaN stays: nothing is larger.
    if (apart > absolute || Number.isNaN(apart)) absolute = apart;
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return { absolute, relative: absolute === 0 ? 0 : absolute / largest };
}
