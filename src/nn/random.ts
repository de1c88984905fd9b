/** Seeded random numbers, the same on every platform: weights, shuffles and pictures that follow from a seed. */
import { require, show } from "../base/errors.js";
import { isBelow } from "../base/numbers.js";
import { normalQuantile } from "./normal.js";
import { philoxInto } from "./philox.js";

/** Where a generator stands, as plain data: JSON keeps it. */
export interface RandomState {
  /** A whole number, from 0 to 2^53 - 1. */
  readonly seed: number;
  /** Which of the seed's streams: two whole numbers, from 0 to 2^32 - 1. */
  readonly stream: readonly [number, number];
  /** How many words of 32 bits were drawn. */
  readonly position: number;
}

const WORD = 2 ** 32;

const isStream = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every((word) => isBelow(word, WORD));

/**
 * A generator of random numbers: Philox4x32-10, keyed by the seed, of a counter that is the position and the stream. Numbers
 * of one stream have nothing to do with those of another: `new Random(seed, [epoch, index])` gives what is drawn for one
 * picture in one epoch, in whatever order pictures are asked for.
 */
export class Random {
  #seed = 0;
  #stream: readonly [number, number] = [0, 0];
  #position = 0;
  readonly #key = new Uint32Array(2);
  readonly #counter = new Uint32Array(4);
  readonly #block = new Uint32Array(4);

  /**
   * @param seed a whole number, from 0 to 2^53 - 1
   * @param stream which of the seed's streams: two whole numbers, from 0 to 2^32 - 1
   * @throws ArgumentError for other seeds and streams
   */
  constructor(seed: number, stream: readonly [number, number] = [0, 0]) {
    this.state = { seed, stream, position: 0 };
  }

  /** Where the generator stands. Set on this or another generator, it goes on from there with the same numbers. */
  get state(): RandomState {
    return { seed: this.#seed, stream: this.#stream, position: this.#position };
  }

  set state(state: RandomState) {
    require(typeof state === "object" && (state as unknown) !== null, () =>
      `state is ${show(state)}; expected { seed, stream, position }, as a generator's state has it`);
    const { seed, stream, position } = state;
    require(isBelow(seed, Number.MAX_SAFE_INTEGER + 1), () =>
      `seed is ${show(seed)}; expected a whole number from 0 to 2^53 - 1`);
    require(isStream(stream), () => `stream is ${show(stream)}; expected two whole numbers from 0 to 2^32 - 1`);
    require(isBelow(position, Number.MAX_SAFE_INTEGER + 1), () =>
      `position is ${show(position)}; expected the whole number of words that were drawn`);
    this.#seed = seed;
    this.#stream = [stream[0], stream[1]];
    this.#position = position;
    this.#key.set([seed % WORD, Math.floor(seed / WORD)]);
    this.#counter.set(this.#stream, 2);
    if (position % 4 !== 0) this.#fillBlock();
  }

  /** Computes the block that the position lies in. */
  #fillBlock(): void {
    const block = Math.floor(this.#position / 4);
    this.#counter[0] = block % WORD;
    this.#counter[1] = Math.floor(block / WORD);
    philoxInto(this.#block, this.#counter, this.#key);
  }

  /** A whole number from 0 to 2^32 - 1. */
  word(): number {
    const place = this.#position % 4;
    if (place === 0) this.#fillBlock();
    this.#position++;
    return this.#block[place];
  }

  /** A number in [0, 1), or in [low, high): a multiple of 2^-24, which is a float32, scaled in float64. */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * ((this.word() >>> 8) * 2 ** -24);
  }

  /**
   * A normal number, by inversion of one word (of at most 6.4 standard deviations): in float64, and the same bits everywhere.
   */
  normal(mean = 0, deviation = 1): number {
    return mean + deviation * normalQuantile((this.word() + 0.5) / WORD);
  }

  /**
   * A whole number from 0 to `count - 1`, all equally likely: words from the last, incomplete run of `count` are drawn again.
   *
   * @param count a whole number, from 1 to 2^32
   */
  below(count: number): number {
    require(isBelow(count - 1, WORD), () => `count is ${show(count)}; expected a whole number from 1 to 2^32`);
    const limit = WORD - (WORD % count);
    for (;;) {
      const word = this.word();
      if (word < limit) return word % count;
    }
  }

  /** Puts a list's elements into a random order, all equally likely, in place (Fisher and Yates); gives the list. */
  shuffle<List extends { readonly length: number; [index: number]: unknown }>(list: List): List {
    for (let last = list.length - 1; last > 0; last--) {
      const other = this.below(last + 1);
      const moved = list[last];
      list[last] = list[other];
      list[other] = moved;
    }
    return list;
  }
}
