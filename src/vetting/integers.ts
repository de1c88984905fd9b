/** Values for trials: sums of products of small integers are integers, and exact in float32. */

/** Integers from -2 to 2, the same each time. */
export function integers(size: number, seed: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(size);
  let state = seed + 1;
  for (let i = 0; i < size; i++) {
    // Numerical Recipes' linear congruential generator, by its high bits.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    values[i] = ((state >>> 16) % 5) - 2;
  }
  return values;
}
