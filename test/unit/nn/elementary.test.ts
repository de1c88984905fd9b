/** Logarithm, sine, cosine and powers by plain arithmetic, against the platform's own. */
import { describe, expect, test } from "vitest";
import { cosineOfPi, logarithm, power, sineOfPi } from "../../../src/nn/elementary.js";

describe("by plain arithmetic", () => {
  test("the logarithm is within 2 units in the last place", () => {
    for (const value of [2 ** -33, 3e-9, 0.0123, 0.075, 0.5, 0.74999, 0.75, 0.9, 1]) {
      expect(Math.abs(logarithm(value) - Math.log(value))).toBeLessThanOrEqual(2 ** -51 * Math.abs(Math.log(value)));
    }
  });

  test("sine and cosine are within 2^-50, any turn", () => {
    for (let i = -500; i <= 500; i++) {
      const t = i / 173;
      // Math.cos is given an angle that is rounded itself, by 2^-53 of up to 9.1.
      expect(Math.abs(cosineOfPi(t) - Math.cos(Math.PI * t)), String(t)).toBeLessThan(2 ** -49);
      expect(Math.abs(sineOfPi(t) - Math.sin(Math.PI * t)), String(t)).toBeLessThan(2 ** -49);
    }
  });

  test("and exact at multiples of a quarter turn", () => {
    expect([0, 0.5, 1, 1.5, 2, -0.5, -1, 100].map((t) => cosineOfPi(t) + 0)).toEqual([1, 0, -1, 0, 1, 0, -1, 1]);
    expect([0, 0.5, 1, 1.5, -0.5].map((t) => sineOfPi(t) + 0)).toEqual([0, 1, 0, -1, -1]);
  });

  test("powers are products", () => {
    expect([0, 1, 2, 5, 10].map((exponent) => power(3, exponent))).toEqual([1, 3, 9, 243, 59049]);
    expect(power(0.5, 1000)).toBe(2 ** -1000);
    expect(power(0.1, 2 ** 40)).toBe(0);
    expect(power(0, 0)).toBe(1);
  });
});
