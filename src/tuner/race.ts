/** Measures contenders against each other, in turn within each round: what else a device does then disturbs all of them. */
import type { Timing } from "../backend/backend.js";

/** Something to be measured. */
export interface Contender {
  /** Runs it `times` times in a row, and says how long all of them took. */
  readonly run: (times: number) => Promise<Timing>;
}

export interface RaceOptions {
  /** Rounds in which those that stay to the end are measured. */
  readonly rounds: number;
  /** For how long the device may be kept from other work. One run may take longer. */
  readonly sliceMilliseconds: number;
  /** Lets other work go first. */
  readonly pause: () => Promise<void>;
}

/** The part of the time of the model's choice that another candidate must stay within to replace it. */
export const WORTH_IT = 0.95;
/**
 * What clocks are rounded to, in milliseconds, at worst: Chromium's timestamps, and performance.now() of Firefox and Safari. Each
 * reading of a duration may be off by as much.
 */
const ROUNDED_TO = { timestamp: 0.1, "wall-clock": 1 };
/** Of samples that last so long, two may both be off and stay within the difference that decides. */
const shortestSample = (clock: Timing["clock"]): number => (2 * ROUNDED_TO[clock]) / (1 - WORTH_IT);
/** A sample is to last a little longer than it must, for the next one may be shorter. */
const MARGIN = 1.25;
/** The most repetitions in a sample, and how many times as many the next one may have. */
const MOST_TIMES = 4096;
const MOST_GROWTH = 64;
/**
 * After the first rounds, a contender leaves whose quickest run takes this many times the best one's. What disturbs a run only
 * makes it slower, so a disturbed sample does not change the quickest.
 */
const HOPELESS = 1.5;
const ROUNDS_BEFORE_ELIMINATION = 3;

/** Milliseconds of one run of a contender. */
export interface Result {
  readonly median: number;
  readonly rounds: number;
  /** Why it left, where a run of it failed. */
  readonly failed: string | undefined;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How often a contender is repeated in a sample, as found so far. */
interface Pace {
  times: number;
  /** Milliseconds that the next sample is likely to take; 0 where nothing is known. */
  expected: number;
}

const newPace = (): Pace => ({ times: 1, expected: 0 });

/** Milliseconds of one run, or why it failed. */
type Sample = { readonly each: number } | { readonly failed: string };

export type SampleOptions = Omit<RaceOptions, "rounds">;

/**
 * Takes samples: each repeats a contender until its clock can tell it from others, or for as long as the device may be kept.
 * What is shorter only says how often to repeat. Pauses come between.
 */
class Sampler {
  readonly #options: SampleOptions;
  /** Milliseconds for which the device was kept since the last pause. */
  #slice = 0;

  constructor(options: SampleOptions) {
    this.#options = options;
  }

  /** Rejects with what `pause` throws. */
  async sample({ run }: Contender, pace: Pace): Promise<Sample> {
    const { sliceMilliseconds, pause } = this.#options;
    for (;;) {
      if (this.#slice > 0 && this.#slice + pace.expected > sliceMilliseconds) {
        await pause();
        this.#slice = 0;
      }
      const timing = await run(pace.times).catch(String);
      if (typeof timing === "string") return { failed: timing };
      const { milliseconds, clock } = timing;
      const each = milliseconds / pace.times;
      this.#slice += milliseconds;
      pace.expected = milliseconds;
      const shortest = shortestSample(clock);
      const most = Math.min(MOST_TIMES, Math.floor(sliceMilliseconds / each));
      if (milliseconds >= shortest || pace.times >= most) return { each };
      const growth = Math.min(MOST_GROWTH, (MARGIN * shortest) / milliseconds);
      pace.times = Math.min(most, Math.ceil(growth * pace.times));
      pace.expected = each * pace.times;
    }
  }
}

/** One sample of a contender that has run before. Rejects with what `pause` throws. */
export async function sampleOf(contender: Contender, options: SampleOptions): Promise<Sample> {
  return await new Sampler(options).sample(contender, newPace());
}

/** A contender while it is in the race. */
interface Entrant {
  readonly contender: Contender;
  readonly pace: Pace;
  readonly samples: number[];
  dropped: boolean;
  failed: string | undefined;
}

/**
 * Medians of all contenders, in their order. Each has run once before, so that its kernels are compiled. A contender whose run
 * fails leaves. What `pause` throws ends the race.
 */
export async function race(contenders: readonly Contender[], options: RaceOptions): Promise<Result[]> {
  const sampler = new Sampler(options);
  const entrants = contenders.map((contender): Entrant => {
    return { contender, pace: newPace(), samples: [], dropped: false, failed: undefined };
  });
  for (let round = 0; round < options.rounds; round++) {
    for (const entrant of entrants.filter(({ dropped }) => !dropped)) {
      const sample = await sampler.sample(entrant.contender, entrant.pace);
      if ("each" in sample) entrant.samples.push(sample.each);
      else Object.assign(entrant, { dropped: true, failed: sample.failed });
    }
    if (round + 1 < ROUNDS_BEFORE_ELIMINATION) continue;
    const best = Math.min(...entrants.filter(({ failed }) => failed === undefined).flatMap(({ samples }) => samples));
    for (const entrant of entrants) entrant.dropped ||= Math.min(...entrant.samples) > HOPELESS * best;
  }
  return entrants.map(({ samples, failed }) => ({ median: median(samples), rounds: samples.length, failed }));
}
