/** Generated glyphs: the same bits everywhere, all of the picture, and a task that a linear classifier fails at. */
import { describe, expect, test, vi } from "vitest";
import { type Dataset, glyphs, Random, type Sample } from "webgpu-conv/nn";

/** Glyphs come at once. */
const sampleOf = (dataset: Dataset, index: number): Sample => dataset.get(index) as Sample;

/** FNV-1a of the bits. */
function checksum({ x }: Sample): string {
  let hash = 0x811c9dc5;
  for (const byte of new Uint8Array(x.buffer)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16);
}

describe("glyphs", () => {
  test("are the same bits for the same seed and index, in any order", () => {
    const dataset = glyphs({ count: 1000, seed: 7 });
    const forwards = [0, 1, 2, 999].map((index) => checksum(sampleOf(dataset, index)));
    const again = [999, 2, 1, 0].map((index) => checksum(sampleOf(glyphs({ count: 1000, seed: 7 }), index)));
    expect(again.reverse()).toEqual(forwards);
    expect(new Set(forwards).size).toBe(4);
    expect(checksum(sampleOf(glyphs({ count: 1000, seed: 8 }), 0))).not.toBe(forwards[0]);
  });

  test("are the same bits everywhere", () => {
    const spies = (["log", "cos", "sin", "exp", "pow", "hypot", "atan2"] as const).map((name) => vi.spyOn(Math, name));
    const digits = sampleOf(glyphs({ count: 10 }), 3);
    const shapes = sampleOf(glyphs({ count: 10, set: "shapes", channels: 3, extent: 20 }), 5);
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    vi.restoreAllMocks();
    expect([checksum(digits), checksum(shapes)]).toEqual(["c7a4e091", "c961029b"]);
  });

  test.each([
    [{}, [1, 28, 28]],
    [{ extent: 32, channels: 3 }, [3, 32, 32]],
    [{ extent: 8, set: "shapes" }, [1, 8, 8]],
    [{ extent: 100, channels: 3, set: "shapes", noise: 0 }, [3, 100, 100]],
  ] as const)("with %j are %j, ten classes in turn, from 0 to 1", (options, shape) => {
    const dataset = glyphs({ count: 40, ...options });
    expect(dataset.shape).toEqual(shape);
    expect(dataset.size).toBe(40);
    expect(dataset.classes).toHaveLength(10);
    for (let index = 0; index < 40; index++) {
      const { x, label } = sampleOf(dataset, index);
      expect(label).toBe(index % 10);
      expect(x).toHaveLength(shape[0] * shape[1] * shape[2]);
      expect(x.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
    expect(dataset.classes[3]).toBe("set" in options ? "plus" : "3");
  });

  test("without noise have soft edges, a ground and a glyph, apart by the least contrast or more", () => {
    const dataset = glyphs({ count: 200, noise: 0 });
    let soft = 0;
    for (let index = 0; index < 200; index++) {
      const { x } = sampleOf(dataset, index);
      const shades = new Map<number, number>();
      for (const value of x) shades.set(value, (shades.get(value) ?? 0) + 1);
      const [lowest, highest] = [Math.min(...x), Math.max(...x)];
      // The ground is the most frequent shade, and one end of the range.
      const [[ground, share]] = [...shades].sort(([, a], [, b]) => b - a);
      expect([lowest, highest]).toContain(ground);
      expect(share).toBeGreaterThan(784 / 2);
      expect(highest - lowest).toBeGreaterThanOrEqual(0.4 * 0.9);
      soft += shades.size - 2;
    }
    expect(soft / 200).toBeGreaterThan(20);
  });

  test("lie within the picture, nearly all of them whole", () => {
    const dataset = glyphs({ count: 500, noise: 0 });
    let touching = 0;
    for (let index = 0; index < 500; index++) {
      const { x } = sampleOf(dataset, index);
      const ground = [...x].sort((a, b) => a - b)[392];
      const edge = [...Array(28).keys()].flatMap((i) => [x[i], x[27 * 28 + i], x[28 * i], x[28 * i + 27]]);
      if (edge.filter((value) => Math.abs(value - ground) > 0.2).length > 3) touching++;
    }
    // Large ones that are turned may reach it.
    expect(touching).toBeLessThan(75);
  });

  test("refuse options out of their ranges", () => {
    expect(() => glyphs({ count: 0 })).toThrow("count is 0; expected an integer of at least 1");
    expect(() => glyphs(5 as never)).toThrow("{ count: 5 }");
    expect(() => glyphs({ count: 1, extent: 4 })).toThrow("extent is 4; expected a whole number from 8 to 1,024");
    expect(() => glyphs({ count: 1, channels: 2 as never })).toThrow("channels is 2; expected 1 or 3");
    expect(() => glyphs({ count: 1, set: "letters" as never })).toThrow(
      'set is "letters"; expected "digits" or "shapes"',
    );
    expect(() => glyphs({ count: 1, noise: -1 })).toThrow("noise is -1");
    expect(() => glyphs({ count: 1, seed: -1 })).toThrow("seed is -1");
    expect(() => glyphs({ count: 3 }).get(3)).toThrow("index is 3; expected a whole number from 0 to 2");
  });
});

describe("a classifier without convolutions", () => {
  const TRAINING = 3000;
  const train = glyphs({ count: TRAINING, seed: 1 });
  const held = glyphs({ count: 1000, seed: 2 });
  const samples = Array.from({ length: TRAINING }, (_, index) => sampleOf(train, index));

  const accuracy = (classify: (x: Float32Array) => number): number => {
    let right = 0;
    for (let index = 0; index < held.size; index++) {
      const { x, label } = sampleOf(held, index);
      if (classify(x) === label) right++;
    }
    return right / held.size;
  };
  const largest = (scores: readonly number[]): number => scores.indexOf(Math.max(...scores));

  test("by the nearest mean of a class is hardly better than chance", () => {
    const means = train.classes.map(() => new Float64Array(784));
    for (const { x, label } of samples) x.forEach((value, i) => (means[label][i] += (10 * value) / TRAINING));
    const share = accuracy((x) =>
      largest(means.map((mean) => -mean.reduce((sum, value, i) => sum + (value - x[i]) ** 2, 0))),
    );
    expect(share).toBeLessThan(0.3);
  });

  test("by a linear layer, trained by softmax cross-entropy, gets less than half right", () => {
    const weights = train.classes.map(() => new Float64Array(785));
    const random = new Random(3);
    const scoresOf = (x: Float32Array): number[] =>
      weights.map((weight) => x.reduce((sum, value, i) => sum + (value - 0.5) * weight[i], weight[784]));
    const order = samples.map((_, i) => i);
    for (let epoch = 0; epoch < 6; epoch++) {
      for (const index of random.shuffle(order)) {
        const { x, label } = samples[index];
        const scores = scoresOf(x);
        const most = Math.max(...scores);
        const exponentials = scores.map((score) => Math.exp(score - most));
        const sum = exponentials.reduce((a, b) => a + b);
        weights.forEach((weight, k) => {
          const step = 0.01 * (exponentials[k] / sum - (k === label ? 1 : 0));
          for (let i = 0; i < 784; i++) weight[i] -= step * (x[i] - 0.5);
          weight[784] -= step;
        });
      }
    }
    const share = accuracy((x) => largest(scoresOf(x)));
    console.info(`a linear classifier gets ${String(share)} of held-out glyphs right`);
    expect(share).toBeLessThan(0.5);
  });
});
