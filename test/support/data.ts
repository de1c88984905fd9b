/** Seeded values for tests: the same seed gives the same numbers on every platform. */

/** A small generator of 32-bit state (mulberry32, public domain, Tommy Ettinger): good enough to fill tensors. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1), a multiple of 2^-32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Uniform among the integers from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)];
  }
}

/** Fills an array of `count` values. */
export type Fill = (random: Random, count: number) => Float32Array<ArrayBuffer>;

/**
 * Integers from -4 to 4. A product is at most 16, so a sum of up to 2^20 of them is exact in float32 in any
 * order: results must then equal the reference bit for bit.
 */
export const smallIntegers: Fill = (random, count) => Float32Array.from({ length: count }, () => random.integer(-4, 4));

/** Reals in [-1, 1). */
export const reals: Fill = (random, count) => Float32Array.from({ length: count }, () => 2 * random.next() - 1);

/** Multiples of 2^-10 in [-1, 1): sums of a few of them, and their doubles, are exact in float32. */
export const coarseReals: Fill = (random, count) =>
  Float32Array.from({ length: count }, () => random.integer(-1024, 1023) / 1024);
