/** Infinities and NaNs are counted where they are: overflow is never silent to who asks. */
import { TensorError } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { Random } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";

/** Values with special ones at places that follow from the seed, and what a count must find. */
function special(count: number, seed: number) {
  const random = new Random(seed);
  const values = Float32Array.from({ length: count }, () => random.integer(-900, 900) / 2);
  const expected = { infinite: 0, nan: 0, largest: 0 };
  for (let i = 0; i < count; i++) {
    const draw = random.integer(0, 99);
    if (draw < 3) values[i] = draw === 0 ? -Infinity : Infinity;
    else if (draw < 5) values[i] = NaN;
  }
  for (const value of values) {
    if (Number.isNaN(value)) expected.nan++;
    else if (Number.isFinite(value)) expected.largest = Math.max(expected.largest, Math.abs(value));
    else expected.infinite++;
  }
  return { values, expected };
}

describe.each(["float32", "float16"] as const)("engine.check in %s", (dtype) => {
  for (const count of [1, 2, 63, 1023, 1025, 70_001]) {
    gpuTest(`counts among ${String(count)} values`, async ({ engine }) => {
      const { values, expected } = special(count, count);
      using tensor = engine.tensor(values, [count], { dtype });
      expect(await engine.check(tensor)).toEqual(expected);
      using cpu = await createEngine({ backend: "cpu" });
      using same = cpu.tensor(values, [count], { dtype });
      expect(await cpu.check(same)).toEqual(expected);
    });
  }
});

gpuTest("float16 sums beyond 65,504 become infinities, and are counted", async ({ engine }) => {
  using x = engine.tensor([300, 200, 100, -300], [1, 1, 2, 2], { dtype: "float16" });
  using w = engine.tensor([256], [1, 1, 1, 1], { dtype: "float16" });
  using y = engine.conv2d(x, w);
  expect([...(await y.data())]).toEqual([Infinity, 51_200, 25_600, -Infinity]);
  expect(await engine.check(y)).toEqual({ infinite: 2, nan: 0, largest: 51_200 });
  using wide = engine.tensor([300, 200, 100, -300], [1, 1, 2, 2]);
  using factor = engine.tensor([256], [1, 1, 1, 1]);
  using z = engine.conv2d(wide, factor);
  expect(await engine.check(z)).toEqual({ infinite: 0, nan: 0, largest: 76_800 });
});

gpuTest("the smallest and the largest numbers are numbers", async ({ engine }) => {
  using tensor = engine.tensor([2 ** -149, -3.4028234663852886e38], [2]);
  expect(await engine.check(tensor)).toEqual({ infinite: 0, nan: 0, largest: 3.4028234663852886e38 });
  using zeros = engine.tensor([0, -0], [2]);
  expect(await engine.check(zeros)).toEqual({ infinite: 0, nan: 0, largest: 0 });
});

gpuTest("a tensor that is none, or gone, is refused", async ({ engine }) => {
  const gone = engine.tensor([1], [1]);
  gone.dispose();
  await expect(engine.check(gone)).rejects.toThrow(TensorError);
  await expect(engine.check(3 as never)).rejects.toThrow(/tensor is 3/);
});
