/** Measures contenders against each other, in turn within each round: what else a device does then disturbs all of them. */

/** Something to be measured. */
export interface Contender {
  /** Runs it `times` times in a row, and gives the milliseconds that the device took for all of them. */
  readonly run: (times: number) => Promise<number>;
}

export interface RaceOptions {
  /** Rounds in which those that stay to the end are measured. */
  readonly rounds: number;
  /** For how long the device may be kept from other work. One run may take longer. */
  readonly sliceMilliseconds: number;
  /** Lets other work go first. */
  readonly pause: () => Promise<void>;
}

/** Shorter measurements say more of the clock than of the contender. */
const SHORTEST_MILLISECONDS = 2;
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

/** A contender while it is in the race. */
interface Entrant extends Contender {
  times: number;
  readonly samples: number[];
  dropped: boolean;
  failed: string | undefined;
}

/**
 * Medians of all contenders, in their order. Each has run once before, so that its kernels are compiled. A contender whose run
 * fails leaves. What `pause` throws ends the race.
 */
export async function race(contenders: readonly Contender[], options: RaceOptions): Promise<Result[]> {
  const { rounds, sliceMilliseconds, pause } = options;
  const entrants = contenders.map(({ run }): Entrant => ({
    run,
    times: 1,
    samples: [],
    dropped: false,
    failed: undefined,
  }));
  let slice = 0;
  for (let round = 0; round < rounds; round++) {
    for (const entrant of entrants.filter(({ dropped }) => !dropped)) {
      const expected = entrant.samples.length > 0 ? median(entrant.samples) * entrant.times : 0;
      if (slice > 0 && slice + expected > sliceMilliseconds) {
        await pause();
        slice = 0;
      }
      const total = await entrant.run(entrant.times).catch((error: unknown) => {
        Object.assign(entrant, { dropped: true, failed: String(error) });
        return undefined;
      });
      if (total === undefined) continue;
      slice += total;
      entrant.samples.push(total / entrant.times);
      const most = Math.max(1, Math.floor(sliceMilliseconds / (total / entrant.times)));
      if (total < SHORTEST_MILLISECONDS) {
        const wanted = Math.ceil((SHORTEST_MILLISECONDS * entrant.times) / Math.max(total, SHORTEST_MILLISECONDS / 64));
        entrant.times = Math.min(most, wanted);
      }
    }
    if (round + 1 < ROUNDS_BEFORE_ELIMINATION) continue;
    const best = Math.min(...entrants.filter(({ failed }) => failed === undefined).flatMap(({ samples }) => samples));
    for (const entrant of entrants) entrant.dropped ||= Math.min(...entrant.samples) > HOPELESS * best;
  }
  return entrants.map(({ samples, failed }) => ({ median: median(samples), rounds: samples.length, failed }));
}
