/** Pooling over all positions: values, gradients, planes that several workgroups share. */
import type { Engine, Tensor } from "webgpu-conv";
import { globalAveragePool, globalMaxPool, type GlobalPoolOptions, Tape } from "webgpu-conv/nn";
import { createEngine } from "test-engine";
import { describe, expect } from "vitest";
import { Random, smallIntegers } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients } from "../../support/nn/checkGradients.js";

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

describe("global pooling", () => {
  gpuTest("gradients in both layouts and all ranks", async ({ bare: engine }) => {
    for (const [shape, layout] of [
      [[2, 3, 4, 5], "channels-first"],
      [[2, 4, 5, 3], "channels-last"],
      [[1, 3, 2], "channels-first"],
      [[1, 2, 1, 3, 19], "channels-last"],
    ] as const) {
      const values = Float32Array.from({ length: product(shape) }, (_, i) => ((i * 37) % 101) / 25);
      for (const pool of [globalAveragePool, globalMaxPool]) {
        await checkGradients(engine, { inputs: { x: { shape, values } }, compute: ({ x }) => pool(x, { layout }) });
      }
    }
  });

  gpuTest("planes that several workgroups share, exactly, in one dispatch or three", async ({ bare: engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    for (const [shape, layout] of [
      [[1, 2, 257, 129], "channels-first"],
      [[2, 24, 32, 37], "channels-last"],
      [[1, 9000, 16], "channels-last"],
    ] as const) {
      const values = smallIntegers(new Random(7), product(shape));
      const run = async (
        own: Engine,
        pool: (x: Tensor, options: GlobalPoolOptions) => Tensor,
      ): Promise<Float32Array[]> => {
        using x = own.tensor(values, shape);
        using tape = new Tape(own);
        using y = tape.run(() => pool(x, { layout }));
        using upstream = own.tensor(smallIntegers(new Random(4), y.size), y.shape);
        const [dx] = tape.gradients(y, [x], { upstream });
        const results = [await y.data(), await dx.data()];
        dx.dispose();
        return results;
      };
      for (const pool of [globalAveragePool, globalMaxPool]) {
        const [[y, dx], [expected, gradients]] = [await run(engine, pool), await run(cpu, pool)];
        // A division of an exact sum: WGSL allows 2.5 ulp.
        const isClose = (value: number, i: number): boolean =>
          Math.abs(value - expected[i]) <= 3 * 2 ** -24 * Math.abs(expected[i]);
        expect(y.every(isClose), `${pool.name} of ${String(shape)}`).toBe(true);
        const most = Math.max(...gradients.subarray(0, 1000).map(Math.abs));
        expect(dx.every((value, i) => Math.abs(value - gradients[i]) <= 3 * 2 ** -24 * Math.max(most, 4))).toBe(true);
        if (pool === globalMaxPool) expect(dx.every((value, i) => value === gradients[i])).toBe(true);
      }
    }
  });

  gpuTest("NaN wins, the last one; of equal values the first; float16; an empty batch", async ({ bare: engine }) => {
    const values = [1, 5, 5, 0, NaN, 2, NaN, 9, -Infinity, -Infinity, -Infinity, -Infinity];
    using x = engine.tensor(values, [1, 3, 4], { dtype: "float16" });
    using tape = new Tape(engine);
    const [most, mean] = tape.run(() => [globalMaxPool(x), globalAveragePool(x)]);
    expect([...(await most.data())]).toEqual([5, NaN, -Infinity]);
    expect([...(await mean.data())]).toEqual([2.75, NaN, -Infinity]);
    using upstream = engine.tensor([1, 2, 3], most.shape, { dtype: "float16" });
    const [dx] = tape.gradients(most, [x], { upstream });
    expect([...(await dx.data())]).toEqual([0, 1, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0]);
    expect([most.dtype, mean.dtype, dx.dtype]).toEqual(["float16", "float16", "float16"]);
    using none = engine.tensor([], [0, 3, 4]);
    using pooled = globalAveragePool(none);
    expect(pooled.shape).toEqual([0, 3, 1]);
    for (const each of [most, mean, dx]) each.dispose();
  });

  gpuTest("the same bits each time", async ({ bare: engine }) => {
    const random = new Random(9);
    using x = engine.tensor(
      Float32Array.from({ length: 50_000 }, () => random.next()),
      [1, 1, 50_000],
    );
    using first = globalAveragePool(x);
    using second = globalAveragePool(x);
    expect(await first.data()).toEqual(await second.data());
  });

  gpuTest("says what does not fit", ({ bare: engine }) => {
    using x = engine.tensor(new Float32Array(6), [2, 3]);
    expect(() => globalAveragePool(x)).toThrow("x has shape [2, 3]; expected batch, channels and one to three");
    expect(() => globalMaxPool(x, { layout: "NHWC" as never })).toThrow("expected batch, channels");
    using image = engine.tensor(new Float32Array(6), [1, 2, 3]);
    expect(() => globalMaxPool(image, { layout: "NHWC" as never })).toThrow('did you mean "channels-last"?');
    expect(() => globalMaxPool(image, "channels-last" as never)).toThrow(
      'expected an object: { layout: "channels-last" }',
    );
  });
});
