/** How work is divided: threads among workgroups, K among splits, results of a row among threads. */
import { describe, expect, test } from "vitest";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { evenThreads } from "../../src/solvers/shared/constants.js";
import { chooseSplitK, divideEvenly, splitKRefusal } from "../../src/solvers/shared/splits.js";
import { byLoads } from "../../src/solvers/rollingWindow/windows.js";

describe("threads", () => {
  test.each([
    [1, 1],
    [3, 4],
    [8, 8],
    [9, 16],
    [17, 24],
    [64, 64],
    // Two workgroups of 48, not one of 64 and the rest.
    [75, 48],
    [196, 64],
    [784, 64],
  ])("%i in workgroups of 64 at most: %i", (needed, threads) => expect(evenThreads(needed, 64)).toBe(threads));

  test("are never more than allowed, and enough with as few workgroups as there may be", () => {
    for (let needed = 1; needed < 700; needed++) {
      for (const most of [1, 4, 12, 64, 256]) {
        const threads = evenThreads(needed, most);
        expect(threads).toBeLessThanOrEqual(most);
        expect(Math.ceil(needed / threads)).toBe(Math.ceil(needed / most));
      }
    }
  });

  test("are whole groups of those that broadcast", () => {
    expect(evenThreads(17, 64, 8)).toBe(24);
    expect(evenThreads(17, 64, 16)).toBe(32);
    expect(evenThreads(3, 64, 8)).toBe(8);
  });
});

describe("K", () => {
  test("is divided a unit at a time, none left over and none left empty", () => {
    expect(divideEvenly(100, 3)).toEqual({ perSplit: 34, splitK: 3 });
    expect(divideEvenly(100, 3, 8)).toEqual({ perSplit: 40, splitK: 3 });
    expect(divideEvenly(20, 7, 8)).toEqual({ perSplit: 8, splitK: 3 });
    expect(divideEvenly(5, 1000)).toEqual({ perSplit: 1, splitK: 5 });
    expect(divideEvenly(5, 1)).toEqual({ perSplit: 5, splitK: 1 });
  });

  test("is split until there are enough workgroups, terms or bytes", () => {
    const sum = { tasks: 8, busy: 64, elements: 1000, k: 4096, leastK: 256 };
    const split = (part: Partial<typeof sum>): number => chooseSplitK({ ...sum, ...part }, DEFAULT_CAPABILITIES);
    expect(split({})).toBe(8);
    expect(split({ busy: 16 })).toBe(2);
    expect(split({ k: 1000 })).toBe(3);
    expect(split({ k: 255 })).toBe(1);
    expect(split({ tasks: 64 })).toBe(1);
    // Partial results take 128 MiB at most, or what the device binds.
    expect(split({ elements: 2 ** 24 })).toBe(2);
    expect(splitKRefusal(3, 2 ** 24, DEFAULT_CAPABILITIES)).toMatch(
      /^3 partial results take 201326592 bytes; expected/,
    );
    expect(splitKRefusal(2, 2 ** 24, DEFAULT_CAPABILITIES)).toBeUndefined();
  });
});

test("results of a row go to threads in the shape that loads the fewest values for each that is needed", () => {
  const shapes = [2, 4, 8].map((columns) => ({ mPerThread: 1, columns }));
  const loads = ({ columns }: { readonly columns: number }): number => columns + 2;
  const order = (width: number): number[] => byLoads(shapes, width, loads).map(({ columns }) => columns);
  expect(order(56)).toEqual([8, 4, 2]);
  // 10 are two blocks of 8, three of 4 or five of 2.
  expect(order(10)).toEqual([4, 2, 8]);
  expect(order(2)).toEqual([2, 4, 8]);
});
