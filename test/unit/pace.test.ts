/** The pace of a device: what is under way, how far calls are, and what its clock says of the prediction. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { type Progress, Wait } from "../../src/backend/wait.js";
import { Pace } from "../../src/gpu/recording/pace.js";

/** A queue whose work is done when a test says so, and a clock that it sets. */
class FakeQueue {
  readonly #waiting: (() => void)[] = [];
  clock = 0;

  constructor() {
    vi.spyOn(performance, "now").mockImplementation(() => this.clock);
  }

  onSubmittedWorkDone(): Promise<undefined> {
    return new Promise((resolve) => void this.#waiting.push(() => resolve(undefined)));
  }

  async done(milliseconds: number): Promise<void> {
    this.clock += milliseconds;
    this.#waiting.shift()?.();
    await Promise.resolve();
    await Promise.resolve();
  }
}

afterEach(() => vi.restoreAllMocks());

function make(longest = 100): { queue: FakeQueue; pace: Pace } {
  const queue = new FakeQueue();
  return { queue, pace: new Pace({ queue: queue as unknown as GPUQueue }, longest) };
}

describe("room", () => {
  test("is for two of the longest, and always for one", async () => {
    const { queue, pace } = make();
    expect(pace.admits(1000)).toBe(true);
    pace.start(100);
    expect(pace.admits(100)).toBe(true);
    expect(pace.admits(101)).toBe(false);
    pace.start(100);
    expect(pace.admits(1)).toBe(false);
    let told = 0;
    pace.onRoom = () => told++;
    await queue.done(10);
    expect(told).toBe(1);
    expect(pace.admits(100)).toBe(true);
    await queue.done(10);
    expect(pace.admits(1000)).toBe(true);
  });
});

describe("progress", () => {
  const watched = (pace: Pace): Progress[] => {
    const seen: Progress[] = [];
    pace.watch(new Wait((progress) => void seen.push(progress)));
    return seen;
  };
  const rounded = (seen: readonly Progress[]): number[] =>
    seen.map(({ done, total }) => Math.round((1000 * done) / total) / 1000);

  test("counts what was recorded by then and is not done", async () => {
    const { queue, pace } = make();
    pace.record(50);
    pace.pass(50);
    pace.record(400);
    pace.start(100);
    const seen = watched(pace);
    pace.record(1000);
    expect(rounded(seen)).toEqual([0]);
    await queue.done(1);
    pace.start(100);
    pace.start(100);
    await queue.done(1);
    await queue.done(1);
    pace.pass(100);
    expect(rounded(seen)).toEqual([0, 0.25, 0.5, 0.75, 1]);
    pace.pass(1000);
    expect(seen.length).toBe(5);
  });

  test("of nothing is of 1", () => {
    const { pace } = make();
    expect(watched(pace)).toEqual([{ done: 0, total: 1 }]);
  });
});

describe("slowness", () => {
  test("follows four measurements of work that ran on end", async () => {
    const { queue, pace } = make();
    queue.clock = 1000;
    for (let i = 0; i < 2; i++) pace.start(100);
    // The first may have waited for other work.
    await queue.done(5000);
    for (let i = 0; i < 3; i++) {
      pace.start(100);
      await queue.done(300);
    }
    expect(pace.slowness).toBe(1);
    await queue.done(300);
    expect(pace.slowness).toBe(2);
    expect(pace.mostMilliseconds).toBe(50);
  });

  test("counts no time in which nothing was under way", async () => {
    const { queue, pace } = make();
    for (let i = 0; i < 10; i++) {
      queue.clock += 1000;
      pace.start(100);
      await queue.done(100);
    }
    expect(pace.slowness).toBe(1);
  });
});
