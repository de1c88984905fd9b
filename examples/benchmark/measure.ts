/** The measurer: warm-up, enough repeats a sample for the clock to tell, several samples, median and spread. */
import { median, relativeSpread } from "./statistics.js";

/** Runs the work `repeats` times, back to back, and says how many milliseconds all of it took. */
export type TimedWork = (repeats: number) => Promise<number>;

export interface MeasureOptions {
  /** Samples taken, after the warm-up. */
  readonly samples: number;
  /** A sample repeats the work until it takes about this long. */
  readonly leastSampleMs: number;
  /** Repeats a sample has at most, whatever the length of the work: each holds on to its results. */
  readonly mostRepeats: number;
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

/** Warms up once, and again with the repeats of a sample where there are several; then takes the samples. */
export async function measure(time: TimedWork, options: MeasureOptions): Promise<Measurement> {
  const { samples, leastSampleMs, mostRepeats } = options;
  const warmUpMs = await time(1);
  const wanted = warmUpMs > 0 ? Math.ceil(leastSampleMs / warmUpMs) : mostRepeats;
  const repeats = Math.max(1, Math.min(wanted, mostRepeats));
  if (repeats > 1) await time(repeats);
  const samplesMs: number[] = [];
  for (let i = 0; i < samples; i++) samplesMs.push((await time(repeats)) / repeats);
  return {
    medianMs: median(samplesMs),
    bestMs: Math.min(...samplesMs),
    spread: relativeSpread(samplesMs),
    samplesMs,
    repeats,
  };
}
