/** The measurer: warm-up, enough repeats a sample for the clock to tell, several samples, median and spread. */
import { median, relativeSpread } from "./statistics.js";

/** Runs the work `repeats` times, back to back, and says how many milliseconds all of it took. */
export type TimedWork = (repeats: number) => Promise<number>;

/** How long samples are. */
export interface SampleOptions {
  /** A sample repeats the work until it takes about this long. */
  readonly leastSampleMs: number;
  /** Repeats a sample has at most, whatever the length of the work: each holds on to its results. */
  readonly mostRepeats: number;
}

export interface MeasureOptions extends SampleOptions {
  /** Samples taken, after the warm-up. */
  readonly samples: number;
  /** No more samples once they took this many milliseconds together, nor any after a warm-up as long; no limit when absent. */
  readonly mostMs?: number;
  /** Called before each run of the work, with the part of the samples that is done; what it throws ends the measuring. */
  between?(this: void, done: number): Promise<void>;
}

/** Milliseconds are those of one repeat. */
export interface Measurement {
  readonly medianMs: number;
  /** The fastest sample: the one least disturbed. */
  readonly bestMs: number;
  /** Half the range over the median. */
  readonly spread: number;
  readonly samplesMs: readonly number[];
  readonly repeats: number;
}

/**
 * Warms up, and finds the repeats with which a sample is long enough: by a first run, which may have taken long to warm up
 * or been too short for the clock to see, and by runs of what it told, until one is at least half as long as asked for.
 */
export async function findRepeats(
  time: TimedWork,
  { leastSampleMs, mostRepeats }: SampleOptions,
): Promise<{ readonly repeats: number; readonly warmUpMs: number }> {
  const enough = (repeats: number, took: number): number =>
    Math.min(mostRepeats, took > 0 ? Math.ceil((repeats * leastSampleMs) / took) : mostRepeats);
  const warmUpMs = await time(1);
  let repeats = Math.max(1, enough(1, warmUpMs));
  while (repeats > 1) {
    const took = await time(repeats);
    if (took >= leastSampleMs / 2 || repeats >= mostRepeats) break;
    repeats = enough(repeats, took);
  }
  return { repeats, warmUpMs };
}

/** Warms up once, and again with the repeats of a sample where there are several; then takes the samples. */
export async function measure(work: TimedWork, options: MeasureOptions): Promise<Measurement> {
  const { samples, mostMs = Infinity, between } = options;
  const samplesMs: number[] = [];
  const time: TimedWork = async (repeats) => {
    await between?.(samplesMs.length / samples);
    return await work(repeats);
  };
  const { repeats, warmUpMs } = await findRepeats(time, options);
  if (warmUpMs >= mostMs) samplesMs.push(warmUpMs);
  for (let spent = warmUpMs; samplesMs.length < samples && (spent < mostMs || samplesMs.length === 0);) {
    const took = await time(repeats);
    samplesMs.push(took / repeats);
    spent += took;
  }
  return {
    medianMs: median(samplesMs),
    bestMs: Math.min(...samplesMs),
    spread: relativeSpread(samplesMs),
    samplesMs,
    repeats,
  };
}
