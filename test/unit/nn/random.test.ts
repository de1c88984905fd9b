/** Seeded random numbers: the published vectors, moments, the same bits everywhere, states that go on. */
import { describe, expect, test, vi } from "vitest";
import { philox, Random } from "webgpu-conv/nn";
import { normalQuantile } from "../../../src/nn/normal.js";

/** Draws a list of numbers. */
const draw = (count: number, next: () => number): number[] => Array.from({ length: count }, next);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("philox", () => {
  // Random123 1.14.0, tests/kat_vectors: "philox4x32 10", counter, key, result.
  test.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ] as const)("of %j under %j is the published %j", (counter, key, block) => {
    expect(philox(counter, key)).toEqual(block);
  });
});

describe("a generator", () => {
  test("draws the blocks of its seed's key in turn", () => {
    const random = new Random(2 ** 40 + 7, [5, 6]);
    const words = draw(8, () => random.word());
    expect(words).toEqual([...philox([0, 0, 5, 6], [7, 256]), ...philox([1, 0, 5, 6], [7, 256])]);
  });

  test("counts beyond 32 bits of blocks", () => {
    const random = new Random(3);
    random.state = { seed: 3, stream: [0, 0], position: 2 ** 34 + 1 };
    expect(random.word()).toBe(philox([0, 1, 0, 0], [3, 0])[1]);
  });

  test.each([0, 1, 2, 3, 4, 5, 1001])("goes on from a state of %i words that went through JSON", (drawn) => {
    const random = new Random(11, [1, 2]);
    draw(drawn, () => random.word());
    const state = JSON.parse(JSON.stringify(random.state)) as typeof random.state;
    const expected = draw(9, () => random.normal());
    const other = new Random(0);
    other.state = state;
    expect(draw(9, () => other.normal())).toEqual(expected);
    expect(other.state).toEqual(random.state);
  });

  test("gives other numbers for another seed or stream", () => {
    const first = (random: Random): number => random.word();
    const generators = [
      new Random(0),
      new Random(1),
      new Random(2 ** 32),
      new Random(0, [1, 0]),
      new Random(0, [0, 1]),
    ];
    expect(new Set(generators.map(first)).size).toBe(generators.length);
  });

  test("refuses what is no seed, stream or position, and keeps its own state", () => {
    expect(() => new Random(-1)).toThrow("seed is -1; expected a whole number from 0 to 2^53 - 1");
    expect(() => new Random(0.5)).toThrow("seed is 0.5");
    expect(() => new Random(NaN)).toThrow("seed is NaN");
    expect(() => new Random(2 ** 53)).toThrow("seed is 9007199254740992");
    expect(() => new Random(1, [1, 2 ** 32])).toThrow("stream is [1, 4294967296]; expected two whole numbers");
    const random = new Random(4);
    expect(() => (random.state = { seed: 5, stream: [0, 0], position: -1 })).toThrow("position is -1");
    expect(random.state).toEqual({ seed: 4, stream: [0, 0], position: 0 });
  });
});

describe("numbers", () => {
  test("uniform ones are float32 numbers in [0, 1), with the mean and the variance of these", () => {
    const random = new Random(1);
    const values = draw(100_000, () => random.uniform());
    expect(values.every((value) => value >= 0 && value < 1 && Math.fround(value) === value)).toBe(true);
    // Five standard errors: of the mean sqrt(1/12/n), of the variance sqrt(1/180/n).
    expect(Math.abs(mean(values) - 1 / 2)).toBeLessThan(5 * Math.sqrt(1 / 12 / values.length));
    expect(Math.abs(mean(values.map((value) => (value - 1 / 2) ** 2)) - 1 / 12)).toBeLessThan(
      5 * Math.sqrt(1 / 180 / values.length),
    );
    expect(Math.min(...draw(1000, () => random.uniform(-3, -2)))).toBeGreaterThanOrEqual(-3);
  });

  test("the largest is below 1", () => {
    // A word whose upper 24 bits are ones: ffffff3d.
    const state = { seed: 1, stream: [0, 0], position: 25_275_781 } as const;
    const random = new Random(1);
    random.state = state;
    expect(random.word() >>> 8).toBe(0xffffff);
    random.state = state;
    expect(random.uniform()).toBe(1 - 2 ** -24);
    random.state = state;
    expect(random.uniform(-3, -2)).toBe(-2 - 2 ** -24);
  });

  test("a state that is none is refused", () => {
    const random = new Random(1);
    for (const state of [undefined, null, 3]) {
      expect(() => {
        random.state = state as never;
      }).toThrow(`state is ${String(state)}; expected { seed, stream, position }`);
    }
    expect(random.state).toEqual({ seed: 1, stream: [0, 0], position: 0 });
  });

  test("normal ones have the moments of a normal distribution", () => {
    const random = new Random(2);
    const values = draw(200_000, () => random.normal());
    // E z^k is 0, 1, 0, 3; the variances of z^k are 1, 2, 15, 96. Five standard errors.
    for (const [power, moment, variance] of [
      [1, 0, 1],
      [2, 1, 2],
      [3, 0, 15],
      [4, 3, 96],
    ] as const) {
      const measured = mean(values.map((value) => value ** power));
      expect(Math.abs(measured - moment), `moment ${String(power)}`).toBeLessThan(
        5 * Math.sqrt(variance / values.length),
      );
    }
    expect(new Random(2).normal(10, 0)).toBe(10);
  });

  test("whole ones are equally likely, for a count that divides no power of 2", () => {
    const random = new Random(3);
    const counts = new Array<number>(7).fill(0);
    const drawn = 70_000;
    for (let i = 0; i < drawn; i++) counts[random.below(7)]++;
    const chiSquared = counts.reduce((sum, count) => sum + (count - drawn / 7) ** 2 / (drawn / 7), 0);
    // Six degrees of freedom: beyond 27.9 once in 10,000.
    expect(chiSquared).toBeLessThan(27.9);
  });

  test("a large count has no bias: its words are drawn again where they belong to an incomplete run", () => {
    // Without that, numbers below 2^30 would be twice as likely as others.
    const random = new Random(4);
    const values = draw(20_000, () => random.below(3 * 2 ** 30));
    const below = values.filter((value) => value < 2 ** 30).length;
    expect(Math.abs(below / values.length - 1 / 3)).toBeLessThan(5 * Math.sqrt(2 / 9 / values.length));
    expect(values.every((value) => Number.isInteger(value) && value >= 0 && value < 3 * 2 ** 30)).toBe(true);
  });

  test("a count of 1 gives 0, one of 2^32 any word; others are refused", () => {
    expect(new Random(0).below(1)).toBe(0);
    expect(new Random(0).below(2 ** 32)).toBe(0x6627e8d5);
    for (const count of [0, -1, 1.5, NaN, 2 ** 32 + 1]) expect(() => new Random(0).below(count)).toThrow("count is");
  });

  test("a shuffle is a permutation, and every one is equally likely", () => {
    const random = new Random(5);
    const counts = new Map<string, number>();
    const drawn = 24_000;
    for (let i = 0; i < drawn; i++) {
      const order = random.shuffle([0, 1, 2, 3]).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const chiSquared = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    // 23 degrees of freedom: beyond 54 about once in 4,000.
    expect(chiSquared).toBeLessThan(54);
    expect([...new Random(1).shuffle(Uint32Array.of(1, 2, 3))].sort()).toEqual([1, 2, 3]);
  });

  test("are the same bits everywhere: they depend on no function whose last bit engines choose", () => {
    const forbidden = (["log", "cos", "sin", "exp", "pow"] as const).map((name) => vi.spyOn(Math, name));
    const random = new Random(6);
    const values = draw(4, () => random.normal());
    for (const spy of forbidden) expect(spy).not.toHaveBeenCalled();
    vi.restoreAllMocks();
    const words = [...new Uint32Array(Float64Array.from(values).buffer)].map((word) => word.toString(16));
    expect(words.join(" ")).toBe("fa4178cc bfe6495e 6604b944 bfba9bf4 6523859 bfe68f34 8785ab8e bfde3778");
  });
});

describe("the normal quantile", () => {
  test("is the published one: AS 241's test values, and symmetric", () => {
    expect(normalQuantile(0.25)).toBeCloseTo(-0.6744897501960817, 15);
    expect(normalQuantile(0.001)).toBeCloseTo(-3.090232306167813, 14);
    expect(normalQuantile(0.5)).toBe(0);
    expect(normalQuantile(0.125)).toBe(-normalQuantile(0.875));
    expect(normalQuantile(2 ** -12)).toBe(-normalQuantile(1 - 2 ** -12));
  });

  test("inverts the distribution, integrated by Simpson's rule, over all that is drawn", () => {
    for (const probability of [2 ** -33, 2 ** -32, 1e-6, 0.0749, 0.0751, 0.3, 0.9249, 0.9251, 0.9999]) {
      const end = normalQuantile(probability);
      // From where the density is below 10^-28 of the result.
      const start = end - 12;
      const steps = 20_000;
      const width = (end - start) / steps;
      let sum = 0;
      for (let i = 0; i <= steps; i++) {
        const x = start + i * width;
        sum += (i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2) * Math.exp((-x * x) / 2);
      }
      const integral = (sum * width) / 3 / Math.sqrt(2 * Math.PI);
      expect(Math.abs(integral / probability - 1), String(probability)).toBeLessThan(1e-11);
    }
  });
});
