/** The short run's sample: which tests of a group it takes. */
import { describe, expect, test } from "vitest";
import { mostOf, sampleOf } from "../../support/sample.js";

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

  test("is smaller where tests need a device", () => {
    expect(mostOf("test/gpu/exact.test.ts")).toBeLessThan(mostOf("test/unit/plans.test.ts"));
  });
});
