/** Who is measured how often, and for how long the device is taken. */
import { describe, expect, test } from "vitest";
import type { Timing } from "../../../src/backend/backend.js";
import { type Contender, race, sampleOf } from "../../../src/tuner/race.js";

const timing = (milliseconds: number): Timing => ({ milliseconds, clock: "timestamp" });

/** A device whose contenders take the given milliseconds a run, and that notes what was asked of it. */
function fakeDevice(costs: readonly number[]) {
  const log: (string | number)[] = [];
  const contenders = costs.map((cost, i) => ({
    run: (times: number) => {
      log.push(i);
      return Promise.resolve(timing(cost * times));
    },
  }));
  const pause = () => {
    log.push("pause");
    return Promise.resolve();
  };
  return { contenders, log, options: { rounds: 7, sliceMilliseconds: 50, pause } };
}

describe("a race", () => {
  test("goes round by round, and those clearly slower leave after three", async () => {
    const { contenders, log, options } = fakeDevice([6, 8, 18]);
    const results = await race(contenders, options);
    expect(results.map(({ median }) => median)).toEqual([6, 8, 18]);
    expect(results.map(({ rounds }) => rounds)).toEqual([7, 7, 3]);
    expect(log.filter((entry) => entry !== "pause").slice(0, 11)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]);
  });

  test.each([0, 1, 2, 3])("is not lost by one sample that something disturbed (round %i)", async (disturbed) => {
    let round = 0;
    const better = { run: (times: number) => Promise.resolve(timing(times * 5 * (round++ === disturbed ? 3 : 1))) };
    const worse = { run: (times: number) => Promise.resolve(timing(times * 8)) };
    const { options } = fakeDevice([]);
    const [first, second] = await race([better, worse], options);
    expect(first.rounds).toBe(7);
    expect(first.median).toBeLessThan(second.median);
  });

  test("goes on without a contender that fails, and ends with a pause that does", async () => {
    const { contenders, options } = fakeDevice([5, 6]);
    const failing = { run: () => Promise.reject(new Error("no")) };
    const results = await race([contenders[0], failing, contenders[1]], options);
    expect(results.map(({ failed }) => failed)).toEqual([undefined, "Error: no", undefined]);
    expect(results.map(({ rounds }) => rounds)).toEqual([7, 0, 7]);
    const stopped = { ...options, pause: () => Promise.reject(new Error("stopped")) };
    await expect(race(fakeDevice([30, 40]).contenders, stopped)).rejects.toThrow("stopped");
  });

  test("takes the device for no longer than 50 ms at once, but for one run that takes longer", async () => {
    for (const costs of [
      [20, 21],
      [0.3, 0.31, 0.32],
      [60, 70],
      [4, 24],
    ]) {
      const { contenders, log, options } = fakeDevice(costs);
      let slice = 0;
      let longest = 0;
      let total = 0;
      const watched = contenders.map(({ run }) => ({
        run: async (times: number) => {
          const { milliseconds: took } = await run(times);
          longest = Math.max(longest, slice > 0 ? slice + took : 0);
          slice += took;
          total += took;
          return timing(took);
        },
      }));
      const pause = async () => {
        slice = 0;
        await options.pause();
      };
      await race(watched, { ...options, pause });
      // A contender's first run is not foreseen.
      expect(longest).toBeLessThanOrEqual(50 + Math.max(...costs));
      expect(log.includes("pause")).toBe(total > 50);
    }
  });

  test("repeats short runs until a clock can tell them apart, and takes a median", async () => {
    const asked: number[] = [];
    let sample = 0;
    const run = (times: number) => {
      asked.push(times);
      // One sample in three is disturbed.
      return Promise.resolve(timing(times * (sample++ % 3 === 1 ? 0.9 : 0.1)));
    };
    const [{ median }] = await race([{ run }], { rounds: 9, sliceMilliseconds: 50, pause: () => Promise.resolve() });
    expect(median).toBeCloseTo(0.1);
    expect(Math.max(...asked)).toBeGreaterThanOrEqual(40);
  });
});

/**
 * A device whose clock is rounded down to 0.1 ms, as Chromium's timestamps are. Where a duration reads as 0, the host's clock is
 * taken, with what a submission costs. Runs begin at times that the clock cannot tell.
 */
function roundedDevice(costs: readonly number[]): readonly Contender[] {
  const QUANTUM = 0.1;
  const read = (milliseconds: number): number => QUANTUM * Math.floor(milliseconds / QUANTUM);
  let now = 0;
  return costs.map((cost) => ({
    run: (times: number): Promise<Timing> => {
      now += 1.237;
      const begin = now;
      now += cost * times;
      const milliseconds = read(now) - read(begin);
      if (milliseconds > QUANTUM / 2) return Promise.resolve(timing(milliseconds));
      return Promise.resolve({ milliseconds: cost * times + 2, clock: "wall-clock" });
    },
  }));
}

describe("a clock of 0.1 ms", () => {
  const options = { rounds: 7, sliceMilliseconds: 50, pause: () => Promise.resolve() };

  test.each([0.0031, 0.01, 0.03, 0.09, 0.11, 0.16, 0.19, 0.7, 1.1, 3.9, 4.1])(
    "orders contenders of %d ms that differ by a tenth, and loses none",
    async (cost) => {
      const results = await race(roundedDevice([1.1 * cost, cost, 1.21 * cost]), options);
      const medians = results.map(({ median }) => median);
      expect(medians[1]).toBeLessThan(0.95 * medians[0]);
      expect(medians[0]).toBeLessThan(medians[2]);
      expect(results.map(({ rounds }) => rounds)).toEqual([7, 7, 7]);
      // A reading is off by less than 0.1 of at least 4 ms.
      expect(Math.abs(medians[1] / cost - 1)).toBeLessThan(0.025);
    },
  );

  test("does not make a short run long: how many samples are measured depends on it", async () => {
    for (const cost of [0.004, 0.02, 0.05]) {
      const [contender] = roundedDevice([cost]);
      const sample = await sampleOf(contender, options);
      expect("each" in sample && Math.abs(sample.each / cost - 1)).toBeLessThan(0.025);
    }
  });

  test("of the host takes samples ten times as long, and one that stands still ends all the same", async () => {
    const asked: number[] = [];
    const run = (times: number): Promise<Timing> => {
      asked.push(times);
      return Promise.resolve({ milliseconds: Math.round(0.3 * times), clock: "wall-clock" });
    };
    const [{ median }] = await race([{ run }], options);
    expect(Math.abs(median / 0.3 - 1)).toBeLessThan(0.025);
    expect(Math.max(...asked)).toBeGreaterThanOrEqual(40 / 0.3);
    const still = { run: () => Promise.resolve({ milliseconds: 0, clock: "wall-clock" as const }) };
    expect(await sampleOf(still, options)).toEqual({ each: 0 });
  });
});
