import { expect, test } from "vitest";
import { measure } from "../../../examples/benchmark/measure.js";

/** Work on a clock of its own: run i takes `milliseconds(i)`, and every call is kept. */
function fakeWork(milliseconds: (run: number) => number) {
  const calls: number[] = [];
  let run = 0;
  const time = (repeats: number): Promise<number> => {
    calls.push(repeats);
    let total = 0;
    for (let i = 0; i < repeats; i++) total += milliseconds(run++);
    return Promise.resolve(total);
  };
  return { calls, time };
}

const OPTIONS = { samples: 5, leastSampleMs: 10, mostRepeats: 100 };

test("work longer than a sample runs once a sample, after one warm-up", async () => {
  const { calls, time } = fakeWork(() => 25);
  const result = await measure(time, OPTIONS);
  expect(calls).toEqual([1, 1, 1, 1, 1, 1]);
  expect(result).toMatchObject({ medianMs: 25, bestMs: 25, spread: 0, repeats: 1 });
});

test("short work is repeated until a sample is long enough, with a warm-up of that length", async () => {
  const { calls, time } = fakeWork(() => 3);
  const result = await measure(time, OPTIONS);
  expect(calls).toEqual([1, 4, 4, 4, 4, 4, 4]);
  expect(result).toMatchObject({ medianMs: 3, repeats: 4 });
});

test("a slow first run is warm-up and not in the samples", async () => {
  const { time } = fakeWork((run) => (run === 0 ? 5000 : 20));
  const { medianMs, samplesMs } = await measure(time, OPTIONS);
  expect(samplesMs).toEqual([20, 20, 20, 20, 20]);
  expect(medianMs).toBe(20);
});

test("median, best and spread are those of one repeat", async () => {
  const { time } = fakeWork((run) => [10, 12, 10, 14, 11, 16][run]);
  const result = await measure(time, OPTIONS);
  expect(result.samplesMs).toEqual([12, 10, 14, 11, 16]);
  expect(result.medianMs).toBe(12);
  expect(result.bestMs).toBe(10);
  expect(result.spread).toBeCloseTo((16 - 10) / 2 / 12, 12);
});

test("repeats are bounded, also where the clock shows nothing at all", async () => {
  const quick = fakeWork(() => 0.001);
  expect((await measure(quick.time, OPTIONS)).repeats).toBe(100);
  const unseen = fakeWork(() => 0);
  expect((await measure(unseen.time, OPTIONS)).repeats).toBe(100);
});

test("a failure of the work is the measurer's", async () => {
  await expect(measure(() => Promise.reject(new Error("lost")), OPTIONS)).rejects.toThrow("lost");
});

test("a coarse clock's first answer does not make short samples", async () => {
  // In steps of 0.1 ms, as browsers give timestamps: work of 0.02 ms is seen as 0.1 ms when it crosses one.
  let now = 0.09;
  const calls: number[] = [];
  const time = (repeats: number): Promise<number> => {
    calls.push(repeats);
    const begin = Math.floor(now / 0.1);
    now += 0.02 * repeats;
    return Promise.resolve((Math.floor(now / 0.1) - begin) * 0.1);
  };
  const { medianMs, repeats } = await measure(time, { samples: 5, leastSampleMs: 20, mostRepeats: 10_000 });
  expect(calls[1]).toBeLessThan(500);
  expect(repeats).toBeGreaterThan(500);
  expect(Math.abs(medianMs - 0.02)).toBeLessThan(0.02 / 100);
});

test("samples end when their time is spent, but there is one", async () => {
  const some = fakeWork(() => 40);
  expect((await measure(some.time, { ...OPTIONS, mostMs: 100 })).samplesMs).toEqual([40, 40]);
  const long = fakeWork(() => 500);
  expect(await measure(long.time, { ...OPTIONS, mostMs: 100 })).toMatchObject({ medianMs: 500, repeats: 1 });
  expect(long.calls).toEqual([1]);
});

test("measuring is told how far it is, and ended, from outside", async () => {
  const { time, calls } = fakeWork(() => 25);
  const done: number[] = [];
  const between = (part: number): Promise<void> => {
    done.push(part);
    return part >= 0.4 ? Promise.reject(new Error("cancelled")) : Promise.resolve();
  };
  await expect(measure(time, { ...OPTIONS, between })).rejects.toThrow("cancelled");
  expect(done).toEqual([0, 0, 0.2, 0.4]);
  expect(calls).toHaveLength(3);
});
