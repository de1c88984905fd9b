/** Measures contenders against each other: in turn within each round, so that what else a device does falls on all. */

/** Something to be measured. */
export interface Contender {
  /** Runs it so often in a row, and gives the milliseconds that the device took for all of them. */
  readonly run: (times: number) => Promise<number>;
}

export interface RaceOptions {
  /** Rounds that those left at the end were measured in. */
  readonly rounds: number;
  /** The device is kept from other work no longer than this at a stretch, but for one run that takes longer itself. */
  readonly stretchMilliseconds: number;
  /** Lets other work go first. */
  readonly pause: () => Promise<void>;
}

/** Shorter measurements say more of the clock than of the contender. */
const SHORTEST_MILLISECONDS = 2;
/**
 * A contender whose quickest run is slower than the best one's by this factor after the first rounds is not measured
 * further. What disturbs a run only makes it slower: the quickest is what one sample spoilt cannot change.
 */
const HOPELESS = 1.5;
const ROUNDS_BEFORE_ELIMINATION = 3;

/** Milliseconds of one run of a contender. */
export interface Result {
  readonly median: number;
  readonly rounds: number;
  /** Why it left: a run of it failed. */
  readonly failed: string | undefined;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A contender while it is in the race. */
interface Lane extends Contender {
  times: number;
  readonly samples: number[];
  dropped: boolean;
  failed: string | undefined;
}

/**
 * Medians of all contenders, in their order. Each has run once before: what compiles has compiled. One whose run fails
 * leaves; what `pause` throws ends the race.
 */
export async function race(contenders: readonly Contender[], options: RaceOptions): Promise<Result[]> {
  const { rounds, stretchMilliseconds, pause } = options;
  const lanes = contenders.map(({ run }): Lane => ({ run, times: 1, samples: [], dropped: false, failed: undefined }));
  let stretch = 0;
  for (let round = 0; round < rounds; round++) {
    for (const lane of lanes.filter(({ dropped }) => !dropped)) {
      const expected = lane.samples.length > 0 ? median(lane.samples) * lane.times : 0;
      if (stretch > 0 && stretch + expected > stretchMilliseconds) {
        await pause();
        stretch = 0;
      }
      const total = await lane.run(lane.times).catch((error: unknown) => {
        Object.assign(lane, { dropped: true, failed: String(error) });
        return undefined;
      });
      if (total === undefined) continue;
      stretch += total;
      lane.samples.push(total / lane.times);
      const most = Math.max(1, Math.floor(stretchMilliseconds / (total / lane.times)));
      if (total < SHORTEST_MILLISECONDS) {
        const wanted = Math.ceil((SHORTEST_MILLISECONDS * lane.times) / Math.max(total, SHORTEST_MILLISECONDS / 64));
        lane.times = Math.min(most, wanted);
      }
    }
    if (round + 1 < ROUNDS_BEFORE_ELIMINATION) continue;
    const best = Math.min(...lanes.filter(({ failed }) => failed === undefined).flatMap(({ samples }) => samples));
    for (const lane of lanes) lane.dropped ||= Math.min(...lane.samples) > HOPELESS * best;
  }
  return lanes.map(({ samples, failed }) => ({ median: median(samples), rounds: samples.length, failed }));
}
