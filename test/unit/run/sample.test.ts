/** The short run's sample: which tests of a group it takes. And whose turn a test is in a whole run of all platforms. */
import { describe, expect, test } from "vitest";
import { mostOf, sampleOf, takesGroup } from "../../support/sample.js";
import { partOf, turnOf, waysInTurn } from "../../support/turns.js";

const ITEMS = Array.from({ length: 10 }, (_, i) => i);

describe("a sample", () => {
  test("follows from its key", () => {
    expect(sampleOf(ITEMS, 3, "20260131")).toEqual(sampleOf(ITEMS, 3, "20260131"));
  });

  test("takes as many as it may, or all", () => {
    expect(sampleOf(ITEMS, 3, "a").size).toBe(3);
    expect(sampleOf(ITEMS, 10, "a").size).toBe(10);
    expect(sampleOf(ITEMS, 11, "a").size).toBe(10);
    expect(sampleOf([], 3, "a").size).toBe(0);
  });

  test("leaves nothing out for ever: a year's samples take each test, and about equally often", () => {
    const counts = ITEMS.map(() => 0);
    for (let day = 0; day < 365; day++) {
      for (const item of sampleOf(ITEMS, 3, String(20260101 + day))) counts[item] += 1;
    }
    const expected = (365 * 3) / ITEMS.length;
    expect(Math.min(...counts)).toBeGreaterThan(expected / 2);
    expect(Math.max(...counts)).toBeLessThan(expected * 2);
  });

  test("takes one group in so many, each equally often in a year, and each of them where it takes one in one", () => {
    const days = Array.from({ length: 365 }, (_, day) => String(20260101 + day));
    for (const group of ["exact", "bounds", "a group\nwith a name"]) {
      const taken = days.filter((day) => takesGroup(6, `${day}\n${group}`)).length;
      // Within four standard deviations of the mean of a binomial distribution.
      expect(Math.abs(taken - 365 / 6)).toBeLessThan(4 * Math.sqrt((365 * 5) / 36));
      expect(days.every((day) => takesGroup(1, `${day}\n${group}`))).toBe(true);
    }
  });

  test("is smaller where tests need a device", () => {
    expect(mostOf("test/gpu/exact.test.ts")).toBeLessThan(mostOf("test/unit/plans.test.ts"));
  });
});

describe("a whole run of all platforms on software devices", () => {
  const NAMES = Array.from({ length: 40 }, (_, i) => `test/gpu/nn/pad.test.ts > values ${String(i)}`);
  const days = Array.from({ length: 365 }, (_, day) => String(20260101 + day));
  const taken = (names: readonly string[], seed: string): readonly number[] =>
    names.flatMap((fullName, index) => (turnOf({ fullName, index }, seed) === undefined ? [index] : []));

  test("deals tests of a device between its two platforms, now this way, now the other", () => {
    const deals = new Set(days.map((seed) => taken(NAMES, seed).join()));
    const half = (parity: number): string => NAMES.flatMap((_, i) => (i % 2 === parity ? [i] : [])).join();
    expect(deals).toEqual(new Set([half(0), half(1)]));
  });

  test("takes a part of what is alike, each about equally often, and all else of one platform alone", () => {
    const alike = NAMES.map((name) => name.replace("nn/pad", "parts.node"));
    const counts = alike.map((_, index) => days.filter((seed) => taken(alike, seed).includes(index)).length);
    // Within four standard deviations of the mean of a binomial distribution.
    for (const count of counts) expect(Math.abs(count - 365 / 4)).toBeLessThan(4 * Math.sqrt((365 * 3) / 16));
    for (const name of [
      "unit/axis",
      "gpu/largeTensors.node",
      "gpu/page.browser",
      "properties/space",
      "conformance/onnx",
    ]) {
      const names = NAMES.map((one) => one.replace("gpu/nn/pad", name));
      expect(taken(names, "20260131"), name).toHaveLength(names.length);
    }
  });

  test("has layers of a variant that is tested by every solver on the platform that does so", () => {
    const [own, other] = __CONV_VARIANT__ === "odd" ? ["odd", "plain"] : ["plain", "odd"];
    for (const seed of days) {
      const takes = (variant: string): boolean =>
        turnOf({ fullName: `test/gpu/exact.test.ts > 3x3, ${variant}`, index: 3 }, seed) === undefined;
      expect([takes(own), takes(other)]).toEqual([true, false]);
    }
  });

  test("takes every other way to do a case, the others the next time and of the next case; all on a GPU, or of one platform", () => {
    const ways = ["a", "b", "c", "d", "e"];
    const software = { deviceClass: "software" } as const;
    const halves = ["a,c,e", "b,d"];
    const taken = (index: number, seed: string): string => waysInTurn(ways, index, software, seed).join();
    expect(new Set(days.map((seed) => taken(0, seed)))).toEqual(new Set(halves));
    for (const seed of days) expect(new Set([taken(0, seed), taken(1, seed)])).toEqual(new Set(halves));
    expect(waysInTurn(ways, 0, { deviceClass: "nvidia" }, days[0])).toEqual(ways);
    expect(waysInTurn(ways, 0, software, "")).toEqual(ways);
  });

  test("takes a part of the cases of a test that are alike, each about equally often; a run of one platform takes all", () => {
    const parts = days.map((seed) => partOf(seed, 4));
    for (const part of [0, 1, 2, 3]) {
      const count = parts.filter((one) => one === part).length;
      expect(Math.abs(count - 365 / 4)).toBeLessThan(4 * Math.sqrt((365 * 3) / 16));
    }
    expect(partOf("", 4)).toBeUndefined();
  });
});
