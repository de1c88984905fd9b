/** Seeded values, so that a run can be repeated exactly. */

/**
 * A source of uniform values in [-1, 1), the same for the same seed, by mulberry32 (Tommy Ettinger, public domain).
 *
 * @param seed any integer; 32 bits of it count
 */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

/** The next values of a source. */
export function valuesFrom(next: () => number, length: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = next();
  return values;
}

/** Uniform values in [-1, 1), the same for the same seed. */
export function randomValues(length: number, seed: number): Float32Array<ArrayBuffer> {
  return valuesFrom(uniform(seed), length);
}
