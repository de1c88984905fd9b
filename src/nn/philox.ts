/**
 * Philox4x32-10, a random function of a counter and a key (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
 * as 1, 2, 3", SC 2011). It has no state, so that any number of any stream is found at once, here as in a kernel.
 */

/** Four words of 32 bits, each from 0 to 2^32 - 1. */
export type PhiloxCounter = readonly [number, number, number, number];
/** Two words of 32 bits. */
export type PhiloxKey = readonly [number, number];

const ROUNDS = 10;
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
/** What the key grows by each round: the golden ratio and the square root of 3, less 1, in 32 bits. */
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/** The upper 32 bits of a product of two words. No partial product leaves float64's integers. */
function upperHalf(a: number, b: number): number {
  const low = (a & 0xffff) * b;
  const high = (a >>> 16) * b;
  // Both are below 2^48, and so is their sum.
  return Math.floor((high + Math.floor(low / 0x10000)) / 0x10000) >>> 0;
}

/** Writes the block of `counter` under `key` into `out`. All are words of 32 bits; of `counter` and `key` their lower 32 bits count. */
export function philoxInto(out: Uint32Array, counter: ArrayLike<number>, key: ArrayLike<number>): void {
  let c0 = counter[0] >>> 0;
  let c1 = counter[1] >>> 0;
  let c2 = counter[2] >>> 0;
  let c3 = counter[3] >>> 0;
  let k0 = key[0] | 0;
  let k1 = key[1] | 0;
  for (let round = 0; round < ROUNDS; round++) {
    const upper0 = upperHalf(MULTIPLIER_0, c0);
    const upper1 = upperHalf(MULTIPLIER_1, c2);
    const lower0 = Math.imul(MULTIPLIER_0, c0);
    const lower1 = Math.imul(MULTIPLIER_1, c2);
    c0 = (upper1 ^ c1 ^ k0) >>> 0;
    c1 = lower1 >>> 0;
    c2 = (upper0 ^ c3 ^ k1) >>> 0;
    c3 = lower0 >>> 0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** Four random words of 32 bits, from 0 to 2^32 - 1: a function of the counter and the key alone. */
export function philox(counter: PhiloxCounter, key: PhiloxKey): [number, number, number, number] {
  const block = new Uint32Array(4);
  philoxInto(block, counter, key);
  return [block[0], block[1], block[2], block[3]];
}
