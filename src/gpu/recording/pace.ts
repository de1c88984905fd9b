/**
 * How fast the device gets on with long work, how much of that is under way, and who wants to know. Work is measured by its
 * predicted milliseconds.
 */
import type { Wait } from "../../backend/wait.js";
import { correctedSlowness, type Speed } from "../../planning/parts.js";

/** Submissions of the longest kind that are under way at a time: the device has its next one while the host hears of the last. */
const UNDER_WAY = 2;
const ROUNDING = 1e-9;
/** Submissions whose durations are added up before they correct the prediction. */
const MEASURED = 4;

export class Pace implements Speed {
  readonly longest: number;
  /** Called whenever something is done. */
  onRoom: () => void = () => undefined;
  readonly #queue: GPUQueue;
  readonly #watchers = new Set<() => void>();
  #slowness = 1;
  // Sums since the beginning.
  #recorded = 0;
  #submitted = 0;
  #done = 0;
  /** Submissions that are under way, and how much work that is. */
  #submissions = 0;
  #underWay = 0;
  #lastDone = 0;
  #sample = { count: 0, predicted: 0, measured: 0 };

  /** @param longest milliseconds that a dispatch, or a submission, should take */
  constructor({ queue }: Pick<GPUDevice, "queue">, longest: number) {
    this.#queue = queue;
    this.longest = longest;
  }

  get slowness(): number {
    return this.#slowness;
  }

  /** Predicted milliseconds of a submission, from which on it is divided. */
  get mostMilliseconds(): number {
    return this.longest / this.#slowness;
  }

  /** Work is about to be submitted. */
  record(milliseconds: number): void {
    this.#recorded += milliseconds;
  }

  admits(milliseconds: number): boolean {
    return this.#submissions === 0 || this.#underWay + milliseconds <= UNDER_WAY * this.mostMilliseconds;
  }

  /** Work was submitted that nobody need wait for, or it was called off. */
  pass(milliseconds: number): void {
    this.#submitted += milliseconds;
    if (this.#submissions === 0) this.#advance(this.#submitted);
  }

  /** Work was submitted. Its completion makes room for more. */
  start(milliseconds: number): void {
    const begun = performance.now();
    this.#submissions++;
    this.#submitted += milliseconds;
    this.#underWay += milliseconds;
    const submitted = this.#submitted;
    const onDone = (): void => {
      this.#submissions--;
      this.#underWay = this.#submissions > 0 ? this.#underWay - milliseconds : 0;
      this.#measure(milliseconds, begun);
      this.#advance(this.#submissions > 0 ? submitted : this.#submitted);
      this.onRoom();
    };
    // A lost device says that all is done, or fails to.
    this.#queue.onSubmittedWorkDone().then(onDone, onDone);
  }

  /** Tells a call that waits for all that was recorded how far that is. */
  watch(wait: Wait): void {
    const start = this.#done;
    // Sums of the same numbers in another order differ by their rounding.
    const total = (this.#recorded - start) * (1 - ROUNDING);
    if (total > 0) wait.total = total;
    const tell = (): void => {
      wait.report(Math.min(this.#done - start, wait.total));
      if (this.#done - start >= total) this.#watchers.delete(tell);
    };
    this.#watchers.add(tell);
    tell();
  }

  #advance(done: number): void {
    this.#done = Math.max(this.#done, done);
    for (const tell of this.#watchers) tell();
  }

  /** Counts what began while the device was busy: that ran from the end of what came before to its own. */
  #measure(predicted: number, begun: number): void {
    const before = this.#lastDone;
    this.#lastDone = performance.now();
    if (begun > before) return;
    const sample = this.#sample;
    sample.count++;
    sample.predicted += predicted;
    sample.measured += this.#lastDone - before;
    if (sample.count < MEASURED) return;
    this.#slowness = correctedSlowness(this.#slowness, sample.predicted, sample.measured);
    this.#sample = { count: 0, predicted: 0, measured: 0 };
  }
}
