/** Linear layers: values, gradients, shapes, errors. */
import { createEngine } from "webgpu-conv";
import { linear, Tape } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { Random } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients } from "../../support/nn/checkGradients.js";

describe("linear", () => {
  gpuTest("values and gradients", async ({ bare: engine }) => {
    for (const lead of [[5], [2, 1, 2], []]) {
      await checkGradients(engine, {
        inputs: { x: { shape: [...lead, 7] }, w: { shape: [5, 7] }, b: { shape: [5] } },
        compute: ({ x, w, b }) => linear(x, w, { bias: b }),
      });
    }
    await checkGradients(engine, {
      inputs: { x: { shape: [3, 4] }, w: { shape: [2, 4] } },
      compute: ({ x, w }) => linear(x, w),
    });
  });

  gpuTest("activations and residuals", async ({ bare: engine }) => {
    const inputs = { x: { shape: [3, 6] }, w: { shape: [4, 6] }, b: { shape: [4] }, r: { shape: [3, 4] } };
    for (const activation of ["relu", "gelu", "tanh"] as const) {
      await checkGradients(engine, {
        inputs,
        compute: ({ x, w, b, r }) => linear(x, w, { bias: b, residual: r, activation }),
      });
    }
    for (const lead of [[2, 2], []]) {
      await checkGradients(engine, {
        inputs: { x: { shape: [...lead, 6] }, w: { shape: [4, 6] }, slope: { shape: [4] } },
        compute: ({ x, w, slope }) => linear(x, w, { activation: { name: "prelu", slope } }),
      });
    }
  });

  gpuTest("exact integers, in larger products", async ({ bare: engine }) => {
    const random = new Random(3);
    using cpu = await createEngine({ backend: "cpu" });
    for (const [rows, inputs, outputs] of [
      [1, 300, 33],
      [130, 64, 10],
    ]) {
      const integers = (count: number): Float32Array =>
        Float32Array.from({ length: count }, () => Math.floor(9 * random.next()) - 4);
      const given = { x: integers(rows * inputs), w: integers(outputs * inputs), b: integers(outputs) };
      const results = await Promise.all(
        [engine, cpu].map(async (own) => {
          using x = own.tensor(given.x, [rows, inputs]);
          using w = own.tensor(given.w, [outputs, inputs]);
          using b = own.tensor(given.b, [outputs]);
          using tape = new Tape(own);
          using y = tape.run(() => linear(x, w, { bias: b }));
          const gradients = tape.gradients(y, { x, w, b }, { upstream: y });
          const all = [y, ...Object.values(gradients)];
          const values = await Promise.all(all.map((tensor) => tensor.data()));
          for (const gradient of Object.values(gradients)) gradient.dispose();
          return values;
        }),
      );
      expect(results[0]).toEqual(results[1]);
    }
  });

  gpuTest("float16, an empty batch, NaN", async ({ bare: engine }) => {
    using x = engine.tensor([1, 2, 3, NaN, 0, 0], [2, 3], { dtype: "float16" });
    using w = engine.tensor([1, 0, 0, 0, 1, 1], [2, 3], { dtype: "float16" });
    using y = linear(x, w);
    expect(y.dtype).toBe("float16");
    expect([...(await y.data())]).toEqual([1, 5, NaN, NaN]);
    using none = engine.tensor([], [0, 3]);
    using float32 = engine.tensor([1, 0, 0, 0, 1, 1], [2, 3]);
    using nothing = linear(none, float32);
    expect(nothing.shape).toEqual([0, 2]);
    expect(() => linear(x, float32)).toThrow("weight is float32; expected float16, as x");
  });

  gpuTest("errors", ({ bare: engine }) => {
    using x = engine.tensor([1, 2], [1, 2]);
    using w = engine.tensor([1, 2, 3], [1, 3]);
    using b = engine.tensor([1, 2], [2]);
    using square = engine.tensor([1, 2, 3, 4], [2, 2]);
    expect(() => linear(x, w)).toThrow("weight has shape [1, 3]; expected [out, 2], for x of shape [1, 2]");
    expect(() => linear(x, x, { bias: b })).toThrow("bias has shape [2]; expected [1]");
    expect(() => linear(x, square, { bais: b } as never)).toThrow("unknown option bais: did you mean bias?");
    expect(() => linear(x, square, b as never)).toThrow("a bias goes into options: { bias }");
  });
});
