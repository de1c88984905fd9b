/** Keeps a run within its time: what the next layer may cost, by the clock and the layers that are left. */

export interface PaceOptions {
  /** Seconds that all the layers of a whole run may take; a run of fewer takes its share. */
  readonly totalSeconds: number;
  readonly layersInTotal: number;
  readonly layersToRun: number;
  /** Seconds a layer spends on what does not shrink with its size: compiling kernels, above all. */
  readonly fixedSeconds: number;
  /** Milliseconds, ever growing. */
  readonly now: () => number;
}

/** However late it is, a layer gets this share of a layer's time: it cannot be left out. */
const LEAST_SHARE = 0.05;

export class Pace {
  readonly #options: PaceOptions;
  readonly #startMs: number;
  #left: number;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#left = options.layersToRun;
    this.#startMs = options.now();
  }

  /**
   * Seconds for the next layer's own work. On schedule every layer gets the same, so that sizes do not change
   * from run to run or with a filter; behind schedule it is what is left, shared out.
   */
  next(): number {
    const { totalSeconds, layersInTotal, layersToRun, fixedSeconds, now } = this.#options;
    const share = totalSeconds / layersInTotal;
    const elapsed = (now() - this.#startMs) / 1000;
    const left = (share * layersToRun - elapsed) / this.#left;
    this.#left -= 1;
    return Math.max(LEAST_SHARE * share, Math.min(share, left) - fixedSeconds);
  }
}
