import { expect, test } from "vitest";
import { Pace } from "../../../examples/benchmark/pace.js";

/** A run of 10 layers in 100 seconds, of which each spends 2 on compiling, on a clock that the test sets. */
function pacedRun(layersToRun: number) {
  const clock = { ms: 5000 };
  const pace = new Pace({
    totalSeconds: 100,
    layersInTotal: 10,
    layersToRun,
    fixedSeconds: 2,
    now: () => clock.ms,
  });
  return { clock, pace };
}

test("on schedule every layer gets the same", () => {
  const { clock, pace } = pacedRun(10);
  for (let i = 0; i < 10; i++) {
    expect(pace.next()).toBeCloseTo(8, 9);
    clock.ms += 10_000;
  }
});

test("ahead of schedule no layer gets more, so that sizes stay the same from run to run", () => {
  const { clock, pace } = pacedRun(10);
  pace.next();
  clock.ms += 1;
  expect(pace.next()).toBe(8);
});

test("behind schedule what is left is shared out", () => {
  const { clock, pace } = pacedRun(10);
  pace.next();
  clock.ms += 55_000;
  // 45 seconds for 9 layers.
  expect(pace.next()).toBeCloseTo(3, 9);
});

test("a layer gets some time however late it is", () => {
  const { clock, pace } = pacedRun(10);
  clock.ms += 1_000_000;
  expect(pace.next()).toBe(0.5);
});

test("a filtered run gives a layer what it has in the whole run", () => {
  const { clock, pace } = pacedRun(2);
  expect(pace.next()).toBe(8);
  clock.ms += 15_000;
  // 20 seconds were for 2 layers: 5 are left.
  expect(pace.next()).toBeCloseTo(3, 9);
});

test("a machine that keeps to what it is given ends in time, whatever the first layer took", () => {
  const { clock, pace } = pacedRun(10);
  for (let i = 0; i < 10; i++) {
    const seconds = pace.next() + 2;
    clock.ms += 1000 * (i === 0 ? 3 * seconds : seconds);
  }
  expect((clock.ms - 5000) / 1000).toBeLessThanOrEqual(100 + 1e-9);
});
