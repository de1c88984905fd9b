/** Distance between float32 values in units in the last place, as web-platform-tests counts it. */

const bits = new DataView(new ArrayBuffer(4));

/** Position of a float32 in the sequence of all float32 values; -0 and 0 share one. */
function ordinal(value: number): number {
  bits.setFloat32(0, value);
  const pattern = bits.getInt32(0);
  return pattern < 0 ? -(pattern & 0x7fffffff) : pattern;
}

/** Float32 values from one to the other; Infinity where either is NaN. */
export function ulpDistance(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Infinity;
  return Math.abs(ordinal(a) - ordinal(b));
}

/** The largest {@link ulpDistance} between the elements of two lists; Infinity where their lengths differ. */
export function largestUlpDistance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  return Array.from(expected).reduce((largest, value, i) => Math.max(largest, ulpDistance(actual[i], value)), 0);
}
