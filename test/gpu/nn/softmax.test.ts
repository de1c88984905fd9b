/** Softmax, its logarithm, and how often the largest is right. */
import { createEngine, type Engine, type Tensor } from "webgpu-conv";
import { accuracy, logSoftmax, softmax, Tape } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { Random } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients, expectClose } from "../../support/nn/checkGradients.js";

describe("softmax and logSoftmax", () => {
  gpuTest("along any axis, and their gradients", async ({ bare: engine }) => {
    for (const axis of [0, 1, -1]) {
      await checkGradients(engine, {
        inputs: { x: { shape: [3, 5, 4] } },
        compute: ({ x }) => [softmax(x, axis), logSoftmax(x, axis)],
      });
    }
  });

  gpuTest("of more rows and longer ones", async ({ bare: engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    const random = new Random(17);
    for (const [shape, axis] of [
      [[70, 33], 1],
      [[2, 5000], 1],
      [[3, 200, 19], 1],
    ] as const) {
      const size = shape.reduce<number>((a, b) => a * b, 1);
      const values = Float32Array.from({ length: size }, () => 20 * random.next() - 10);
      const upstream = Float32Array.from({ length: size }, () => random.next());
      const compute = async (own: Engine, of: typeof softmax): Promise<readonly Float32Array[]> => {
        using x = own.tensor(values, shape);
        using dy = own.tensor(upstream, shape);
        using tape = new Tape(own);
        using y: Tensor = tape.run(() => of(x, axis));
        const [dx] = tape.gradients(y, [x], { upstream: dy });
        const results = [await y.data(), await dx.data()];
        dx.dispose();
        return results;
      };
      for (const of of [softmax, logSoftmax]) {
        const [y, dx] = await compute(engine, of);
        const [exact, exactGradient] = await compute(cpu, of);
        expectClose(y, exact, 2e-6, `${of.name} of ${shape.join("x")}`);
        expectClose(dx, exactGradient, 1e-5, `gradient of ${of.name} of ${shape.join("x")}`);
      }
    }
  });

  gpuTest("large exponents, infinities, NaN, float16", async ({ bare: engine }) => {
    using x = engine.tensor(
      [1e4, 9.999e3, -Infinity, NaN, 0, 0, Infinity, 0, 0, -Infinity, -Infinity, -Infinity],
      [4, 3],
    );
    using y = softmax(x);
    using logarithms = logSoftmax(x);
    const p = 1 / (1 + Math.exp(-1));
    const values = await y.data();
    expectClose(values.subarray(0, 3), [p, 1 - p, 0], 1e-6, "large exponents");
    expect([...values.subarray(3)]).toEqual(new Array<number>(9).fill(NaN));
    const logs = await logarithms.data();
    expectClose(logs.subarray(0, 2), [Math.log(p), Math.log(1 - p)], 1e-6, "logarithms");
    expect([...logs.subarray(2)]).toEqual([-Infinity, ...new Array<number>(9).fill(NaN)]);
    const least = -3.4028234663852886e38;
    using masked = engine.tensor([least, least, -Infinity, 0, least, -Infinity], [2, 3]);
    using even = softmax(masked);
    expect([...(await even.data())]).toEqual([0.5, 0.5, 0, 1, 0, 0]);
    using half = engine.tensor([1, 2, 3, 4], [1, 4], { dtype: "float16" });
    using result = softmax(half);
    expect(result.dtype).toBe("float16");
    const exponentials = [1, 2, 3, 4].map(Math.exp);
    const sum = exponentials.reduce((a, b) => a + b, 0);
    expectClose(
      await result.data(),
      exponentials.map((e) => e / sum),
      2 ** -11,
      "float16",
    );
    expect(() => softmax(half, 2)).toThrow("axis is 2; expected an integer from -2 to 1");
  });
});

describe("accuracy", () => {
  gpuTest("counts the largest, the first of equal ones, NaN above all", async ({ bare: engine }) => {
    using x = engine.tensor([1, 3, 2, 5, 5, 1, NaN, 9, NaN, -1, -2, -3, 0, 0, 1], [5, 3]);
    for (const [labels, expected] of [
      [[1, 0, 0, 0, 2], 5],
      [[1, 1, 2, 0, 7], 2],
      [[-100, 0, NaN, 1, 2], 2],
    ] as const) {
      using y = engine.tensor([...labels], [5]);
      using right = accuracy(x, y);
      expect([...(await right.data())]).toEqual([expected]);
    }
    using y = engine.tensor([1, 0, 0, 0, 2], [5]);
    using right = accuracy(x, y, { ignoreIndex: 0 });
    expect([...(await right.data())]).toEqual([2]);
    expect(() => accuracy(x, x)).toThrow("labels has shape [5, 3]; expected [5], one for each row of logits");
  });

  gpuTest("of pixels, in both layouts", async ({ bare: engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    const random = new Random(19);
    for (const [shape, classes, layout] of [
      [[2, 4, 130, 61], 4, "channels-first"],
      [[2, 130, 61, 4], 4, "channels-last"],
      [[3, 700], 700, "channels-first"],
      [[1, 300_000], 300_000, "channels-first"],
    ] as const) {
      const size = shape.reduce<number>((a, b) => a * b, 1);
      const values = Float32Array.from({ length: size }, () => Math.floor(random.next() * 50));
      const labels = Float32Array.from({ length: size / classes }, () => Math.floor(random.next() * 3));
      const labelShape = layout === "channels-last" ? shape.slice(0, -1) : [shape[0], ...shape.slice(2)];
      const count = async (own: Engine): Promise<number> => {
        using x = own.tensor(values, shape);
        using y = own.tensor(labels, labelShape);
        using right = accuracy(x, y, { layout });
        return (await right.data())[0];
      };
      expect(await count(engine)).toBe(await count(cpu));
    }
  });
});
