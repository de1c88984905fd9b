/** Keeps a run within its time: what the next layer may cost, by the clock and the layers that are left. */

/** Seconds that a layer should take at its smallest and at its network's size. */
export interface LayerCost {
  readonly least: number;
  readonly full: number;
}

export interface PaceOptions {
  /** Seconds for all the layers of a whole run; a run of fewer gets what these would have had of it. */
  readonly totalSeconds: number;
  /** Seconds a layer spends on what does not shrink with its size: compiling kernels, above all. */
  readonly fixedSeconds: number;
  readonly wholeRun: readonly LayerCost[];
  /** The layers that this run has, in their order. */
  readonly thisRun: readonly LayerCost[];
  /** Milliseconds, ever growing. */
  readonly now: () => number;
}

/** The clock moves a little between a plan and its first layer; that alone should not change a size. */
const ON_SCHEDULE = 0.95;
/** However late it is, a layer may cost this share of what was planned: it cannot be left out. */
const LEAST_SHARE = 0.1;

export class Pace {
  readonly #fixedSeconds: number;
  readonly #now: () => number;
  readonly #planned: number;
  readonly #startMs: number;
  readonly #seconds: number;
  #left: readonly LayerCost[];
  /** What the layers before should have taken. */
  #predictedSeconds = 0;

  constructor({ totalSeconds, fixedSeconds, wholeRun, thisRun, now }: PaceOptions) {
    this.#fixedSeconds = fixedSeconds;
    this.#now = now;
    this.#left = thisRun;
    this.#planned = mostForEach(wholeRun, totalSeconds - fixedSeconds * wholeRun.length);
    this.#startMs = now();
    this.#seconds = fixedSeconds * thisRun.length + totalCost(thisRun, this.#planned);
  }

  /**
   * Seconds for the next layer's own work. On schedule this is the same for all, so that sizes do not change from
   * run to run or with a filter; behind schedule it is what the time that is left allows, were the layers to come
   * to go on being as late as those before.
   */
  next(): number {
    const elapsed = (this.#now() - this.#startMs) / 1000;
    const lateness = this.#predictedSeconds > 0 ? Math.max(1, elapsed / this.#predictedSeconds) : 1;
    const seconds = (this.#seconds - elapsed) / lateness - this.#fixedSeconds * this.#left.length;
    const affordable = mostForEach(this.#left, seconds);
    const onSchedule = affordable >= ON_SCHEDULE * this.#planned;
    const most = onSchedule ? this.#planned : Math.max(affordable, LEAST_SHARE * finite(this.#planned));
    this.#predictedSeconds += this.#fixedSeconds + totalCost(this.#left.slice(0, 1), most);
    this.#left = this.#left.slice(1);
    return most;
  }
}

const finite = (value: number): number => (Number.isFinite(value) ? value : 0);

const totalCost = (layers: readonly LayerCost[], most: number): number =>
  layers.reduce((sum, { least, full }) => sum + Math.max(least, Math.min(full, most)), 0);

/**
 * The level at which layers that cost at most that much each, but none less than its least, cost `seconds`
 * together. What cheap layers leave over goes to the dear ones. Infinity when all of it fits at full size.
 */
export function mostForEach(layers: readonly LayerCost[], seconds: number): number {
  if (totalCost(layers, Infinity) <= seconds) return Infinity;
  let low = 0;
  let high = Math.max(...layers.map(({ full }) => full));
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) / 2;
    if (totalCost(layers, middle) <= seconds) low = middle;
    else high = middle;
  }
  return low;
}

const BISECTIONS = 50;
