/** Who is measured how often, and for how long the device is taken. */
import { describe, expect, test } from "vitest";
import { race } from "../../../src/tuner/race.js";

/** A device whose contenders take the given milliseconds a run, and that notes what was asked of it. */
function fakeDevice(costs: readonly number[]) {
  const log: (string | number)[] = [];
  const contenders = costs.map((cost, i) => ({
    run: (times: number) => {
      log.push(i);
      return Promise.resolve(cost * times);
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
    const { contenders, log, options } = fakeDevice([3, 4, 9]);
    const results = await race(contenders, options);
    expect(results.map(({ median }) => median)).toEqual([3, 4, 9]);
    expect(results.map(({ rounds }) => rounds)).toEqual([7, 7, 3]);
    expect(log.filter((entry) => entry !== "pause").slice(0, 11)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]);
  });

  test.each([0, 1, 2, 3])("is not lost by one sample that something disturbed (round %i)", async (disturbed) => {
    let round = 0;
    const better = { run: (times: number) => Promise.resolve(times * 2 * (round++ === disturbed ? 3 : 1)) };
    const worse = { run: (times: number) => Promise.resolve(times * 3.2) };
    const { options } = fakeDevice([]);
    const [first, second] = await race([better, worse], options);
    expect(first.rounds).toBe(7);
    expect(first.median).toBeLessThan(second.median);
  });

  test("goes on without a contender that fails, and ends with a pause that does", async () => {
    const { contenders, options } = fakeDevice([3, 4]);
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
          const took = await run(times);
          longest = Math.max(longest, slice > 0 ? slice + took : 0);
          slice += took;
          total += took;
          return took;
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
      return Promise.resolve(times * (sample++ % 3 === 1 ? 0.9 : 0.1));
    };
    const [{ median }] = await race([{ run }], { rounds: 9, sliceMilliseconds: 50, pause: () => Promise.resolve() });
    expect(median).toBeCloseTo(0.1);
    expect(Math.max(...asked)).toBeGreaterThanOrEqual(10);
  });
});
