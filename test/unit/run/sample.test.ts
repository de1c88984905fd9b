/** The short run's sample: which tests of a group it takes. */
import { describe, expect, test } from "vitest";
import { mostOf, sampleOf, takesGroup } from "../../support/sample.js";
import { halfOf } from "../../support/turns.js";

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

test("whole runs take one half of what is alike or the other, about equally often; runs of one platform take both", () => {
  const halves = Array.from({ length: 365 }, (_, day) => halfOf(String(20260101 + day)));
  const first = halves.filter((half) => half === 0).length;
  expect(halves.filter((half) => half === 1)).toHaveLength(365 - first);
  // Within four standard deviations of the mean of a binomial distribution.
  expect(Math.abs(first - 365 / 2)).toBeLessThan(4 * Math.sqrt(365 / 4));
  expect(halfOf("")).toBeUndefined();
});
