/** How long samples on a device are, and whose clock times them. */
import type { Timing } from "webgpu-conv";
import type { SampleOptions } from "../../benchmark/measure.js";

/** Browsers let timestamps step by 0.1 ms: of so long a sample, both ends together are half a percent. */
const LEAST_SAMPLE_MS = 20;
/** Recorded in one go, on the page's only thread. */
const MOST_REPEATS = 2000;
/** Results that a sample holds on to at most: each repeat makes its own. */
const MOST_HELD_BYTES = 2 ** 28;

/** @param heldBytes of one run, until it is submitted */
export const deviceSamples = (heldBytes: number): SampleOptions => ({
  leastSampleMs: LEAST_SAMPLE_MS,
  mostRepeats: Math.max(1, Math.min(MOST_REPEATS, Math.floor(MOST_HELD_BYTES / heldBytes))),
});

/** What rounds are, in words. */
export const ROUND_WORDS = `each of as many runs as take ${String(LEAST_SAMPLE_MS)} ms, at least one`;

export const clockWords = (clock: Timing["clock"]): string =>
  clock === "timestamp" ? "the device's own clock" : "the wall clock";
