import { expect, test } from "vitest";
import { type LayerCost, mostForEach, Pace } from "../../../examples/benchmark/pace.js";

const DEAR: LayerCost = { least: 0.1, full: 100 };
const CHEAP: LayerCost = { least: 0.1, full: 1 };

test("equal layers share the time equally", () => {
  expect(mostForEach([DEAR, DEAR, DEAR, DEAR], 20)).toBeCloseTo(5, 6);
});

test("what cheap layers leave over goes to the dear ones", () => {
  // 1 + 1 for the cheap ones, the other 18 for the two dear ones.
  expect(mostForEach([CHEAP, DEAR, CHEAP, DEAR], 20)).toBeCloseTo(9, 6);
});

test("what a layer cannot do without is taken from the others", () => {
  expect(mostForEach([{ least: 15, full: 100 }, DEAR], 20)).toBeCloseTo(5, 6);
});

test("with time enough there is no limit, and with none there is nothing", () => {
  expect(mostForEach([CHEAP, CHEAP], 2)).toBe(Infinity);
  expect(mostForEach([DEAR, DEAR], -1)).toBeCloseTo(0, 6);
  expect(mostForEach([], 0)).toBe(Infinity);
});

/** 10 dear layers in 100 seconds, of which each spends 2 on compiling, on a clock that the test sets. */
function pacedRun(layers = 10) {
  const clock = { ms: 5000 };
  const wholeRun = new Array<LayerCost>(10).fill(DEAR);
  const pace = new Pace({
    totalSeconds: 100,
    fixedSeconds: 2,
    wholeRun,
    thisRun: wholeRun.slice(0, layers),
    now: () => clock.ms,
  });
  return { clock, pace };
}

test("on schedule every layer gets the same", () => {
  const { clock, pace } = pacedRun();
  for (let i = 0; i < 10; i++) {
    expect(pace.next()).toBeCloseTo(8, 6);
    clock.ms += 10_000;
  }
});

test("ahead of schedule no layer gets more, so that sizes stay the same from run to run", () => {
  const { clock, pace } = pacedRun();
  pace.next();
  clock.ms += 1;
  expect(pace.next()).toBeCloseTo(8, 6);
});

test("behind schedule what is left is shared out", () => {
  const { clock, pace } = pacedRun();
  pace.next();
  clock.ms += 11_000;
  // 89 seconds for 9 layers that each take 11 / 10 of what they should; 2 each for compiling.
  expect(pace.next()).toBeCloseTo(89 / 1.1 / 9 - 2, 6);
});

test("a layer gets a little however late it is", () => {
  const { clock, pace } = pacedRun();
  pace.next();
  clock.ms += 1_000_000;
  expect(pace.next()).toBeCloseTo(0.8, 6);
});

test("a filtered run gives a layer what it has in the whole run", () => {
  const { clock, pace } = pacedRun(2);
  expect(pace.next()).toBeCloseTo(8, 6);
  clock.ms += 12_000;
  // 20 seconds were for 2 layers: 8 are left, for one that takes 12 / 10 of what it should.
  expect(pace.next()).toBeCloseTo(8 / 1.2 - 2, 6);
});

test("a machine that is slower than it seemed ends in time, with smaller layers from early on", () => {
  const { clock, pace } = pacedRun();
  const given: number[] = [];
  for (let i = 0; i < 10; i++) {
    const seconds = pace.next();
    given.push(seconds);
    clock.ms += 1500 * (seconds + 2);
  }
  expect((clock.ms - 5000) / 1000).toBeLessThanOrEqual(100 + 1e-6);
  for (const seconds of given.slice(1)) expect(seconds).toBeCloseTo(given[1], 6);
});
