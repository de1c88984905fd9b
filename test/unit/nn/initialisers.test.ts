/** Initial weights: PyTorch's fans and bounds, the right variances, the same bits everywhere. */
import { describe, expect, test } from "vitest";
import { biasUniform, fans, glorotNormal, glorotUniform, heNormal, heUniform, Random } from "webgpu-conv/nn";

/** Tens of thousands of weights of a fan-in of 288 and a fan-out of 1152. */
const SHAPE = [128, 32, 3, 3] as const;
const COUNT = 128 * 32 * 9;

const meanSquare = (values: Float32Array): number =>
  values.reduce((sum, value) => sum + value * value, 0) / values.length;

describe("fans", () => {
  test.each([
    ["a linear layer [out, in]", [10, 3], { fanIn: 3, fanOut: 10 }],
    ["a convolution [out, in, h, w]", [64, 3, 7, 7], { fanIn: 147, fanOut: 3136 }],
    ["a grouped one [out, in/groups, h, w]", [64, 8, 3, 3], { fanIn: 72, fanOut: 576 }],
    ["a depthwise one", [64, 1, 3, 3], { fanIn: 9, fanOut: 576 }],
    ["a 1D one", [6, 5, 4], { fanIn: 20, fanOut: 24 }],
    ["a 3D one", [6, 5, 2, 3, 4], { fanIn: 120, fanOut: 144 }],
    ["a transposed one [in, out/groups, h, w], as PyTorch has it", [64, 16, 2, 2], { fanIn: 64, fanOut: 256 }],
  ])("of %s", (_, shape, expected) => expect(fans(shape)).toEqual(expected));

  test("of what is no weight are refused", () => {
    expect(() => fans([3])).toThrow("weight's shape is [3]; expected two sizes or more");
    expect(() => fans([3, 0, 3, 3])).toThrow("weight's shape is [3, 0, 3, 3]; expected whole sizes from 1 on");
    expect(() => fans([3, 1.5])).toThrow("expected whole sizes");
  });
});

describe("weights", () => {
  /** Within five standard errors of a mean square, of values whose fourth moment is `kurtosis` variance^2. */
  function expectVariance(values: Float32Array, variance: number, kurtosis: number): void {
    expect(values).toHaveLength(COUNT);
    const error = variance * Math.sqrt((kurtosis - 1) / COUNT);
    expect(Math.abs(meanSquare(values) - variance)).toBeLessThan(5 * error);
  }
  const UNIFORM = 9 / 5;
  const NORMAL = 3;

  test.each([
    [{}, 2 / 288],
    [{ mode: "fan-out" }, 2 / 1152],
    [{ negativeSlope: 1 }, 1 / 288],
    [{ negativeSlope: Math.sqrt(5) }, 1 / 3 / 288],
  ] as const)("He's with %j have the variance %f", (options, variance) => {
    expectVariance(heNormal(SHAPE, new Random(1), options), variance, NORMAL);
    const values = heUniform(SHAPE, new Random(1), options);
    expectVariance(values, variance, UNIFORM);
    const bound = Math.sqrt(3 * variance);
    expect(Math.max(...values)).toBeLessThanOrEqual(Math.fround(bound));
    expect(Math.max(...values)).toBeGreaterThan(0.999 * bound);
    expect(Math.min(...values)).toBeLessThan(-0.999 * bound);
  });

  test("a new layer of PyTorch's has weights and a bias within 1 / sqrt(fan-in)", () => {
    const weights = heUniform([64, 3, 7, 7], new Random(2), { negativeSlope: Math.sqrt(5) });
    const bias = biasUniform(64, [64, 3, 7, 7], new Random(3));
    const bound = 1 / Math.sqrt(147);
    expect(bias).toHaveLength(64);
    expect(Math.max(...weights.map(Math.abs))).toBeCloseTo(bound, 4);
    expect(Math.max(...bias.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...bias.map(Math.abs))).toBeGreaterThan(0.9 * bound);
  });

  test.each([
    [{}, 1],
    [{ gain: 5 / 3 }, 25 / 9],
  ] as const)("Glorot's with %j", (options, factor) => {
    const variance = (factor * 2) / (288 + 1152);
    expectVariance(glorotNormal(SHAPE, new Random(4), options), variance, NORMAL);
    expectVariance(glorotUniform(SHAPE, new Random(4), options), variance, UNIFORM);
  });

  test("are the same bits everywhere, and go on with the generator", () => {
    const random = new Random(5);
    const words = (values: Float32Array): string =>
      [...new Uint32Array(values.buffer)].map((word) => word.toString(16)).join(" ");
    expect(words(heNormal([1, 2, 1, 2], random))).toBe("3f035ca5 bf85c56c 3fc17fb3 3fa4dab7");
    expect(words(glorotUniform([2, 2], random))).toBe("bebf9b21 bf579be2 3e3ab483 bf6ea159");
    expect(random.state.position).toBe(8);
  });

  test("with wrong options are refused", () => {
    const random = new Random(6);
    expect(() => heUniform(SHAPE, random, { mode: "fan_in" as "fan-in" })).toThrow(
      'mode is "fan_in"; expected "fan-in" or "fan-out": did you mean "fan-in"?',
    );
    expect(() => heUniform(SHAPE, random, { slope: 1 } as object)).toThrow(
      "unknown option slope: did you mean negativeSlope?",
    );
    expect(() => heNormal(SHAPE, random, { negativeSlope: NaN })).toThrow("negativeSlope is NaN");
    expect(() => glorotNormal(SHAPE, random, { gain: 0 })).toThrow("gain is 0; expected a number above 0");
    expect(() => biasUniform(0, SHAPE, random)).toThrow("count is 0");
    expect(() => heNormal(SHAPE, undefined as never)).toThrow("random is undefined; expected new Random(seed)");
    expect(() => heUniform(SHAPE, Math.random as never)).toThrow(
      "random is function random; expected new Random(seed)",
    );
    expect(random.state.position).toBe(0);
  });
});
