/** Changes of pictures: what each move, mirror and factor gives, and what is refused. */
import { describe, expect, test } from "vitest";
import { type Augmentation, horizontalFlip, jitter, Random, randomCrop, type SampleShape } from "webgpu-conv/nn";

/** 1, 2, 3, ... */
const counted = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => i + 1);

/** What becomes of a picture. */
function change(augment: Augmentation, x: Float32Array, shape: SampleShape, seed = 0): number[] {
  const changed = x.slice();
  augment(changed, shape, new Random(seed));
  return [...changed];
}

describe("a crop", () => {
  test("moves by any number of pixels up to the padding, and fills what it uncovers", () => {
    const shape = [2, 3, 4] as const;
    const x = counted(24);
    const expected = new Map<string, [number, number]>();
    for (let down = -2; down <= 2; down++) {
      for (let right = -2; right <= 2; right++) {
        const moved = Array.from(x, (_, i) => {
          const [channel, row, column] = [Math.floor(i / 12), Math.floor(i / 4) % 3, i % 4];
          const [fromRow, fromColumn] = [row - down, column - right];
          const inside = fromRow >= 0 && fromRow < 3 && fromColumn >= 0 && fromColumn < 4;
          return inside ? x[channel * 12 + fromRow * 4 + fromColumn] : -1;
        });
        expected.set(moved.join(), [down, right]);
      }
    }
    const seen = new Set<string>();
    for (let seed = 0; seed < 400; seed++) {
      const moved = change(randomCrop({ padding: 2, fill: -1 }), x, shape, seed).join();
      expect(expected.has(moved), moved).toBe(true);
      seen.add(moved);
    }
    expect(seen.size).toBe(25);
  });

  test("by more than the picture leaves the padding", () => {
    const pictures = Array.from({ length: 50 }, (_, seed) =>
      change(randomCrop({ padding: 40 }), counted(4), [1, 2, 2], seed),
    );
    expect(pictures.filter((picture) => picture.every((value) => value === 0)).length).toBeGreaterThan(40);
  });

  test("of nothing leaves the picture", () => {
    expect(change(randomCrop({ padding: 0 }), counted(4), [1, 2, 2])).toEqual([1, 2, 3, 4]);
  });
});

describe("a flip", () => {
  test("mirrors every row of every channel, or nothing", () => {
    expect(change(horizontalFlip(1), counted(12), [2, 2, 3])).toEqual([3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10]);
    expect(change(horizontalFlip(0), counted(12), [2, 2, 3])).toEqual([...counted(12)]);
  });

  test("comes as often as its probability says", () => {
    const flipped = Array.from(
      { length: 1000 },
      (_, seed) => change(horizontalFlip(0.3), counted(2), [1, 1, 2], seed)[0] === 2,
    );
    // Five standard errors: 5 sqrt(0.3 0.7 / 1000) = 0.072.
    expect(Math.abs(flipped.filter(Boolean).length / 1000 - 0.3)).toBeLessThan(0.073);
  });
});

describe("jitter", () => {
  const x = Float32Array.of(0.1, 0.2, 0.3, 0.4);

  test("multiplies brightness, then the difference from the mean", () => {
    const random = new Random(9);
    const brightness = random.uniform(0.5, 1.5);
    const contrast = random.uniform(0.75, 1.25);
    const mean = 0.25 * brightness;
    const expected = [...x].map((value) => mean + contrast * (value * brightness - mean));
    change(jitter({ brightness: 0.5, contrast: 0.25 }), x, [1, 2, 2], 9).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i], 6);
    });
  });

  test("takes the mean of a colour picture by luma", () => {
    const red = Float32Array.of(1, 0, 0);
    const [first, second, third] = change(jitter({ contrast: 1 }), red, [3, 1, 1], 3);
    const random = new Random(3);
    random.word();
    const factor = random.uniform(0, 2);
    const clip = (value: number): number => Math.min(1, Math.max(0, value));
    expect(first).toBeCloseTo(clip(0.299 + factor * 0.701), 6);
    expect(second).toBeCloseTo(clip(0.299 - factor * 0.299), 6);
    expect(third).toBe(second);
  });

  test("stays from 0 to 1, and leaves the picture where nothing is asked for", () => {
    for (let seed = 0; seed < 50; seed++) {
      const values = change(jitter({ brightness: 1, contrast: 1 }), Float32Array.of(0, 0.5, 0.9, 1), [1, 2, 2], seed);
      expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
    expect(change(jitter({}), x, [1, 2, 2])).toEqual([...x]);
  });
});

test("options out of their ranges are refused", () => {
  expect(() => randomCrop({ padding: -1 })).toThrow("padding is -1; expected an integer of at least 0");
  expect(() => randomCrop(2 as never)).toThrow("{ padding: 2 }");
  expect(() => randomCrop({ padding: 1, fill: NaN })).toThrow("fill is NaN");
  expect(() => horizontalFlip(2)).toThrow("probability is 2; expected 0 to 1");
  expect(() => jitter({ brightness: 2 })).toThrow("brightness is 2; expected 0 to 1");
  expect(() => jitter({ hue: 0.1 } as never)).toThrow("unknown option hue");
});
