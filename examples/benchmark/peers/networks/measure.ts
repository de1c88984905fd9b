/** A published network on an engine: its first result, cold and warm, and its time from then on, in rounds with the others. */
import { differenceOf } from "../../../detect/difference.js";
import { median } from "../../statistics.js";
import { countDispatches, countMemory, liveOf, peakOf } from "../counters.js";
import { decodeBytes, decodeFloats, type NetworkInMemory, type NetworkTask, type RunningNetwork } from "./task.js";

/** A slice repeats the run for about this long. */
const SLICE_MS = 300;
const MOST_REPEATS = 32;
/** Before the first round, for kernels and pools that settle. */
const WARM_UP_RUNS = 4;
/** No more of them once they took this long: a slow run is warm soon. */
const WARM_UP_MS = 1000;

export interface First {
  /** From the files' bytes to the result's values on the host. */
  readonly coldMs: number;
  /** The same once more, after it was closed. */
  readonly warmMs: number;
  /** Most bytes of WebGPU buffers at a time, from the opening to the first result; null on the CPU. */
  readonly peakBytes: number | null;
  /** What is left of them after both were closed. */
  readonly leftBytes: number | null;
  /** Of the first result to the reference: the largest difference over the largest value. */
  readonly difference: number;
}

export interface Steady {
  readonly ms: number;
  /** Of one run; null on the CPU. */
  readonly dispatches: number | null;
  /** Of the last result. */
  readonly difference: number;
}

/** Throws, or rejects, where the engine cannot run the network: in its own words. */
export type Open = (network: NetworkInMemory) => Promise<RunningNetwork>;

const inMemory = ({ network, model, weights, x }: NetworkTask): NetworkInMemory => ({
  ...{ network, model: decodeBytes(model), weights: decodeBytes(weights), x: decodeFloats(x) },
});

export async function measureFirst(task: NetworkTask, open: Open): Promise<First> {
  countMemory();
  const expected = decodeFloats(task.expected);
  const once = async () => {
    // Engines may keep or change what they are handed.
    const network = inMemory(task);
    const start = performance.now();
    const running = await open(network);
    const values = await running.run();
    return { running, values, ms: performance.now() - start };
  };
  const cold = await once();
  const { device } = cold.running;
  const peakBytes = device ? peakOf(device) : null;
  await cold.running.close();
  const warm = await once();
  await warm.running.close();
  const devices = new Set([device, warm.running.device].filter((one) => one !== undefined));
  const left = [...devices].reduce((sum, one) => sum + liveOf(one), 0);
  return {
    coldMs: cold.ms,
    warmMs: warm.ms,
    peakBytes,
    leftBytes: device ? left : null,
    difference: differenceOf(cold.values, expected).relative,
  };
}

/** Engines take turns, as they do in the other parts; each run's result is read. */
export async function measureSteady(task: NetworkTask, openers: readonly Open[], rounds: number): Promise<Steady[]> {
  const expected = decodeFloats(task.expected);
  const contenders = [];
  for (const open of openers) {
    const running = await open(inMemory(task));
    const first = await timeRuns(running, 1);
    const counts = await countDispatches(() => running.run());
    const dispatches = running.device ? [...counts.values()].reduce((sum, count) => sum + count, 0) : null;
    const warm = [first.ms];
    while (warm.length < WARM_UP_RUNS && warm.reduce((sum, ms) => sum + ms, 0) < WARM_UP_MS) {
      warm.push((await timeRuns(running, 1)).ms);
    }
    const repeats = Math.max(1, Math.min(Math.round(SLICE_MS / Math.min(...warm)), MOST_REPEATS));
    contenders.push({ running, dispatches, repeats, samplesMs: [] as number[], last: first.last });
  }
  for (let round = 0; round < rounds; round++) {
    const turn = round % contenders.length;
    for (const contender of [...contenders.slice(turn), ...contenders.slice(0, turn)]) {
      const { ms, last } = await timeRuns(contender.running, contender.repeats);
      contender.samplesMs.push(ms);
      contender.last = last;
    }
  }
  const results: Steady[] = [];
  for (const { running, dispatches, samplesMs, last } of contenders) {
    results.push({ ms: median(samplesMs), dispatches, difference: differenceOf(last, expected).relative });
    await running.close();
  }
  return results;
}

/** Milliseconds a run, and what the last one gave. */
async function timeRuns(
  running: RunningNetwork,
  repeats: number,
): Promise<{ readonly ms: number; readonly last: Float32Array }> {
  const start = performance.now();
  for (let i = 1; i < repeats; i++) await running.run();
  const last = await running.run();
  return { ms: (performance.now() - start) / repeats, last };
}
