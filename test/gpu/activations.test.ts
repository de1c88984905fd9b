/** Activations and their gradients on the device, fused and on their own, against their definitions in float64. */
import { describe, expect, test } from "vitest";
import { ACTIVATION_CODES, derivativeSource, readActivation } from "../../src/problem/activation.js";
import { activate, activationDerivative } from "../../src/problem/activationFormulas.js";
import { FORMULAS } from "../support/activations.js";
import { gpuTest } from "../support/gpuTest.js";

/** A hundredth apart where the curves bend, and out to where exp underflows. */
const VALUES = Float32Array.from([
  ...Array.from({ length: 801 }, (_, i) => (i - 400) / 50 + 0.001),
  ...[1e-30, 1e-7, 1e-4, 11, 17, 23, 45, 80, 87, 95].flatMap((value) => [value, -value]),
]);

/** exp, and what is made of it, errs by a few units in the last place; gelu's distribution by 1.5e-7 in all. */
const FEW_ULP = 8 * 2 ** -24;
const DISTRIBUTION_ERROR = 2e-7;
/** Results below it may be taken for zero, and so may exp below 2^-126, which silu multiplies. */
const LEAST = 2 ** -119;

/** The element furthest beyond `relative * |expected| + absolute`, in words. */
function mismatch(
  actual: ArrayLike<number>,
  expected: readonly number[],
  relative: number,
  absolute: number,
): string | undefined {
  const found = expected.findIndex(
    (value, i) => !(Math.abs(actual[i] - value) <= relative * Math.abs(value) + absolute),
  );
  return found < 0
    ? undefined
    : `at ${String(VALUES[found])}: ${String(actual[found])}; expected ${String(expected[found])}`;
}

for (const { name, activation, value, slope, from } of FORMULAS) {
  gpuTest(`${name}: on its own, fused, and its gradient`, async ({ engine }) => {
    const expected = Array.from(VALUES, value);
    const absolute = name === "gelu" ? 95 * DISTRIBUTION_ERROR : LEAST;
    using x = engine.tensor(VALUES, [1, 1, 1, VALUES.length]);
    using one = engine.tensor([1], [1, 1, 1, 1]);
    using alone = engine.activate(x, activation);
    using fused = engine.conv2d(x, one, { activation });
    expect(mismatch(await alone.data(), expected, FEW_ULP, absolute)).toBeUndefined();
    expect(mismatch(await fused.data(), expected, FEW_ULP, absolute)).toBeUndefined();

    using dy = engine.tensor(
      VALUES.map((_, i) => (i % 7) / 2 - 1),
      x.shape,
    );
    const wanted = Array.from(VALUES, (at, i) => ((i % 7) / 2 - 1) * slope(at));
    const options = { activation, [from]: from === "output" ? alone : x };
    using own = engine.activationGradient(dy, options);
    using dx = engine.conv2dInputGradient(dy, one, x.shape, options);
    // From an output, which was rounded: 1 - y * y errs by as much as 1 does. Values that cancel near a derivative of 0 too.
    const rounding = 2 * FEW_ULP + absolute;
    expect(mismatch(await own.data(), wanted, FEW_ULP, rounding)).toBeUndefined();
    expect(mismatch(await dx.data(), wanted, FEW_ULP, rounding)).toBeUndefined();
  });
}

describe("the formulas", () => {
  test("are all here, and take their derivatives from what is said", () => {
    const names = new Set(FORMULAS.map(({ activation }) => readActivation(activation).name));
    expect([...names, "none", "prelu"].sort()).toEqual([...ACTIVATION_CODES].sort());
    for (const { activation, from } of FORMULAS) expect(derivativeSource(readActivation(activation))).toBe(from);
  });

  test.each(FORMULAS)("$name: the CPU's, and central differences of its derivative", (formula) => {
    const { activation, value, slope, kinks, from } = formula;
    const spec = readActivation(activation);
    const step = 1e-5;
    // Simpson's rule, for gelu's distribution, errs by as much.
    const most = 1e-12;
    for (const x of VALUES) {
      expect(Math.abs(activate(x, spec) - value(x))).toBeLessThanOrEqual(most * Math.max(1, Math.abs(x)));
      if (kinks.some((kink) => Math.abs(x - kink) < 2 * step) || Math.abs(x) > 40) continue;
      const difference = (value(x + step) - value(x - step)) / (2 * step);
      expect(Math.abs(slope(x) - difference)).toBeLessThan(1e-8);
      const derivative = activationDerivative(from === "output" ? value(x) : x, spec);
      expect(Math.abs(derivative - slope(x))).toBeLessThan(most);
    }
  });
});
