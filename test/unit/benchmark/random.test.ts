import { expect, test } from "vitest";
import { randomValues } from "../../../examples/benchmark/random.js";

test("the same seed gives the same values, another one others", () => {
  expect(randomValues(100, 7)).toEqual(randomValues(100, 7));
  expect(randomValues(100, 7)).not.toEqual(randomValues(100, 8));
});

test("values are within [-1, 1], spread evenly, with mean 0", () => {
  const count = 20_000;
  const values = randomValues(count, 3);
  const quarters = [0, 0, 0, 0];
  for (const value of values) {
    expect(Math.abs(value)).toBeLessThanOrEqual(1);
    quarters[Math.min(3, Math.floor((value + 1) * 2))] += 1;
  }
  // A quarter's count has variance count * 1/4 * 3/4; six standard deviations.
  const allowed = 6 * Math.sqrt((count * 3) / 16);
  for (const quarter of quarters) expect(Math.abs(quarter - count / 4)).toBeLessThan(allowed);
  // The mean of uniform values in [-1, 1] has variance 1 / (3 * count).
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  expect(Math.abs(mean)).toBeLessThan(6 / Math.sqrt(3 * count));
});
