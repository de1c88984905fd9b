/** Activations and their gradients on the device, fused and on their own, against float64. */
import { expect } from "vitest";
import {
  activate,
  ACTIVATION_NAMES,
  activationDerivative,
  derivativeSource,
  readActivation,
} from "../../src/activation.js";
import { gpuTest } from "../support/gpuTest.js";

/**
 * WGSL grants tanh an absolute error of 1e-5 and exp 3 + 2 |x| ulp, below 2e-6 relative here; the normal distribution
 * is approximated to 1.5e-7. Derivatives multiply by at most 4 on this range.
 */
const MOST_ERROR = 4e-5;

const VALUES = Float32Array.from({ length: 161 }, (_, i) => (i - 80) / 20);

const largestError = (actual: ArrayLike<number>, expected: readonly number[]): number =>
  expected.reduce((most, value, i) => (Math.abs(actual[i] - value) <= most ? most : Math.abs(actual[i] - value)), 0);

for (const name of ACTIVATION_NAMES) {
  gpuTest(`${name}: on its own, fused, and its gradient`, async ({ engine }) => {
    const spec = readActivation(name);
    const expected = [...VALUES].map((value) => activate(value, spec));
    using x = engine.tensor(VALUES, [1, 1, 1, VALUES.length]);
    using one = engine.tensor([1], [1, 1, 1, 1]);
    using alone = engine.activate(x, name);
    using fused = engine.conv2d(x, one, { activation: name });
    expect(largestError(await alone.data(), expected)).toBeLessThan(MOST_ERROR);
    expect(largestError(await fused.data(), expected)).toBeLessThan(MOST_ERROR);

    using dy = engine.tensor(
      VALUES.map((value) => value / 2 - 1),
      x.shape,
    );
    const wanted = [...VALUES].map((value, i) => {
      const source = derivativeSource(spec) === "output" ? expected[i] : value;
      return (value / 2 - 1) * activationDerivative(source, spec);
    });
    const options = { activation: name, output: alone, preActivation: x };
    using own = engine.activationGradient(dy, options);
    using dx = engine.conv2dInputGradient(dy, one, x.shape, options);
    expect(largestError(await own.data(), wanted)).toBeLessThan(MOST_ERROR);
    expect(largestError(await dx.data(), wanted)).toBeLessThan(MOST_ERROR);
  });
}
