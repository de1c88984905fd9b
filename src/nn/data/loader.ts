/** Batches of a dataset: shuffled, augmented, made ahead of use, and the same bits again from a saved position. */
import { require, show } from "../../base/errors.js";
import { isBelow } from "../../base/numbers.js";
import { Random } from "../random.js";
import { assemble, type Batch } from "./batch.js";
import type { Dataset } from "./dataset.js";
import { type BatchPlan, type DataLoaderOptions, readLoaderOptions } from "./loaderOptions.js";

/** Where a loader stands, as plain data: JSON keeps it. */
export interface LoaderState {
  readonly seed: number;
  /** The epoch that the next batch belongs to, 0 for the first. */
  readonly epoch: number;
  /** How many of that epoch's samples were given out. */
  readonly position: number;
}

/** Of the seed's streams, the one that an epoch is shuffled by; those of its samples are named by their indices. */
const SHUFFLE = 2 ** 32 - 1;

/**
 * Gives out a dataset in batches.
 *
 * ```ts
 * const loader = new DataLoader(glyphs({ count: 10_000 }), { batchSize: 64, seed: 1, augment: [randomCrop({ padding: 2 })] });
 * for (let epoch = 0; epoch < 5; epoch++) {
 *   for await (const { x, shape, labels } of loader) train(engine.tensor(x, shape), labels);
 * }
 * ```
 *
 * Each iteration goes on from where the loader stands to the end of that epoch. The next batches are made while the caller
 * works with one. Between samples, when 8 milliseconds have passed, and after each batch the page gets its turn.
 */
export class DataLoader implements AsyncIterable<Batch> {
  readonly dataset: Dataset;
  readonly #plan: BatchPlan;
  #seed: number;
  #epoch = 0;
  #position = 0;
  /** Counts iterations and moves: an iteration that is not the latest gives no more batches. */
  #turn = 0;
  /** The order of an epoch, once computed. */
  #order: { readonly seed: number; readonly epoch: number; readonly indices: Uint32Array } | undefined;

  /** @throws ArgumentError for a dataset or options out of their ranges */
  constructor(dataset: Dataset, options: DataLoaderOptions) {
    this.#plan = readLoaderOptions(dataset, options);
    this.dataset = dataset;
    this.#seed = this.#plan.seed;
  }

  /** Batches of a whole epoch. */
  get batchesPerEpoch(): number {
    const { batchSize } = this.#plan;
    return Math.ceil(this.#end / batchSize);
  }

  /** Samples of an epoch that are given out. */
  get #end(): number {
    const { size } = this.dataset;
    const { batchSize, dropLast } = this.#plan;
    return dropLast ? size - (size % batchSize) : size;
  }

  /**
   * Where the loader stands: behind the last batch that was given out, not behind those that were made ahead. Set on a loader of
   * the same dataset and options, that one goes on with the same batches, bit for bit.
   */
  get state(): LoaderState {
    return { seed: this.#seed, epoch: this.#epoch, position: this.#position };
  }

  set state(state: LoaderState) {
    require(typeof state === "object" && (state as unknown) !== null, () =>
      `state is ${show(state)}; expected { seed, epoch, position }, as a loader's state has it`);
    const { seed, epoch, position } = state;
    new Random(seed); // Checks the seed.
    require(isBelow(epoch, 2 ** 32), () => `epoch is ${show(epoch)}; expected a whole number from 0 on`);
    const { batchSize } = this.#plan;
    const isPosition =
      Number.isInteger(position) && position >= 0 && position < this.#end && position % batchSize === 0;
    require(isPosition, () =>
      `position is ${show(position)}; expected a multiple of batchSize, ${String(batchSize)}, below ${String(this.#end)} samples`);
    this.#turn++;
    this.#seed = seed;
    this.#epoch = epoch;
    this.#position = position;
  }

  /** The samples of the present epoch in their order. */
  #indices(): Uint32Array {
    const [seed, epoch] = [this.#seed, this.#epoch];
    if (this.#order?.seed !== seed || this.#order.epoch !== epoch) {
      const indices = Uint32Array.from({ length: this.dataset.size }, (_, i) => i);
      if (this.#plan.shuffle) new Random(seed, [epoch, SHUFFLE]).shuffle(indices);
      this.#order = { seed, epoch, indices };
    }
    return this.#order.indices;
  }

  #requireTurn(turn: number): void {
    require(turn === this.#turn, () =>
      "the loader was moved or iterated again while this iteration ran; end this one first");
  }

  /** The rest of the present epoch. Leaving the loop early keeps the place; the next iteration goes on there. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    const turn = ++this.#turn;
    const [seed, epoch, end] = [this.#seed, this.#epoch, this.#end];
    const { batchSize, prefetch } = this.#plan;
    const indices = this.#indices();
    const made: Promise<Batch>[] = [];
    let next = this.#position;
    const make = (): void => {
      const place = { seed, epoch, position: next };
      const promise = assemble(this.dataset, this.#plan, place, indices.slice(next, Math.min(next + batchSize, end)));
      // It is awaited below, unless the loop is left before: then nobody needs its error.
      promise.catch(() => undefined);
      made.push(promise);
      next += batchSize;
    };
    while (this.#position < end) {
      while (next < end && made.length <= prefetch) make();
      const batch = await made.shift();
      if (batch === undefined) return;
      this.#requireTurn(turn);
      this.#position += batchSize;
      if (this.#position >= end) {
        this.#epoch++;
        this.#position = 0;
        yield batch;
        return;
      }
      yield batch;
      this.#requireTurn(turn);
    }
  }
}
