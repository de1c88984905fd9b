/** Arithmetic with broadcasting, and sums: values, gradients, element types, errors. */
import { createEngine, type Engine, type Tensor } from "webgpu-conv";
import { activate, add, div, mul, scale, sub, Tape } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { Random } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients, expectClose } from "../../support/nn/checkGradients.js";

const OPERATORS = { add, sub, mul, div };

/** Away from 0, since quotients divide by them. */
const positive = (count: number): number[] => Array.from({ length: count }, (_, i) => 0.5 + ((i * 7) % 11) / 10);

describe("arithmetic", () => {
  gpuTest("of tensors of one shape, and of numbers", async ({ bare: engine }) => {
    for (const operator of Object.values(OPERATORS)) {
      await checkGradients(engine, {
        inputs: { a: { shape: [2, 3, 5] }, b: { shape: [2, 3, 5], values: positive(30) } },
        compute: ({ a, b }) => operator(a, b),
      });
      await checkGradients(engine, {
        inputs: { a: { shape: [7], values: positive(7) } },
        compute: ({ a }) => [operator(a, 3), operator(-2, a)],
      });
    }
  });

  gpuTest("broadcasts channels, scalars and extents of 1", async ({ bare: engine }) => {
    const shapes: (readonly [number[], number[]])[] = [
      [[2, 3, 2, 5], [3]],
      [[2, 3, 2, 5], [1]],
      [
        [2, 3, 2, 5],
        [2, 1, 2, 1],
      ],
      [
        [1, 3, 1, 5],
        [2, 1, 4, 1],
      ],
      [[3], [2, 3]],
      [
        [4, 2],
        [3, 1, 2],
      ],
    ];
    for (const [a, b] of shapes) {
      const values = positive(b.reduce((x, y) => x * y, 1));
      await checkGradients(engine, {
        inputs: { a: { shape: a }, b: { shape: b, values } },
        compute: ({ a, b }) => [mul(a, b), div(a, b)],
      });
    }
    await checkGradients(engine, {
      inputs: { a: { shape: [2, 2, 3, 4] }, b: { shape: [4] } },
      compute: ({ a, b }) => sub(mul(b, a, { layout: "channels-last" }), b, { layout: "channels-last" }),
    });
  });

  gpuTest("activations after a sum, and by themselves", async ({ bare: engine }) => {
    for (const activation of ["relu", "sigmoid", "silu", { name: "leaky-relu", negativeSlope: 0.2 }] as const) {
      await checkGradients(engine, {
        inputs: { a: { shape: [2, 3, 4] }, b: { shape: [2, 3, 4] }, c: { shape: [3] } },
        compute: ({ a, b, c }) => [add(a, b, { activation }), add(a, c, { activation }), activate(a, activation)],
      });
    }
    await checkGradients(engine, {
      inputs: { a: { shape: [2, 3, 4] }, b: { shape: [4] }, slope: { shape: [4] } },
      compute({ a, b, slope }) {
        return add(a, b, { activation: { name: "prelu", slope }, layout: "channels-last" });
      },
    });
    using x = engine.tensor([-1, 2], [2]);
    using y = add(x, 0, { activation: "silu" });
    expectClose(await y.data(), [-1 / (1 + Math.E), 2 / (1 + Math.exp(-2))], 1e-6, "silu");
  });

  gpuTest("a tensor with itself, and a scalar that changes", async ({ bare: engine }) => {
    await checkGradients(engine, {
      inputs: { a: { shape: [2, 3] }, s: { shape: [1] } },
      compute: ({ a, s }) => [mul(a, a), add(a, a, { activation: "relu" }), scale(a, s), scale(a, -2)],
    });
    await checkGradients(engine, {
      inputs: { a: { shape: [3] }, s: { shape: [1, 1, 1] } },
      compute: ({ a, s }) => scale(a, s),
    });
    using x = engine.tensor([1, 2], [2]);
    using single = engine.tensor([3], [1, 1, 1]);
    using scaled = scale(x, single);
    expect(scaled.shape).toEqual([2]);
    using factor = engine.tensor([3], [1]);
    using compiled = await engine.compile(() => scale(x, factor));
    using y = compiled.result;
    await engine.write(factor, [5]);
    compiled.run();
    expect([...(await y.data())]).toEqual([5, 10]);
  });

  gpuTest("NaN, infinities and float16", async ({ bare: engine }) => {
    for (const dtype of ["float32", "float16"] as const) {
      using a = engine.tensor([NaN, Infinity, 1, -2], [2, 2], { dtype });
      using b = engine.tensor([2, 4], [2], { dtype });
      using sum = add(a, b, { activation: "relu" });
      using quotient = div(a, b);
      expect(sum.dtype).toBe(dtype);
      expect([...(await sum.data())]).toEqual([NaN, Infinity, 3, 2]);
      expect([...(await quotient.data())]).toEqual([NaN, Infinity, 0.5, -0.5]);
    }
  });

  gpuTest("is what a tape adds gradients by, bit for bit", async ({ bare: engine }) => {
    const random = new Random(3);
    const reals = (): number[] => Array.from({ length: 333 }, () => 2 * random.next() - 1);
    for (const dtype of ["float32", "float16"] as const) {
      const [x, w, dy] = [0, 1, 2].map(() => engine.tensor(reals(), [333], { dtype }));
      using tape = new Tape(engine);
      using y = tape.run(() => {
        using product = mul(x, w);
        using third = div(x, 3);
        return add(product, third);
      });
      const { x: gradient } = tape.gradients(y, { x }, { upstream: dy });
      using ofProduct = mul(dy, w);
      using ofThird = div(dy, 3);
      using expected = add(ofThird, ofProduct);
      expect(await gradient.data()).toEqual(await expected.data());
      for (const tensor of [x, w, dy, gradient]) tensor.dispose();
    }
  });

  gpuTest("errors", ({ bare: engine }) => {
    using a = engine.tensor([1, 2, 3], [1, 3]);
    using b = engine.tensor([1, 2], [2]);
    using half = engine.tensor([1, 2, 3], [1, 3], { dtype: "float16" });
    expect(() => add(a, b)).toThrow("a has shape [1, 3] and b [2]; expected the same, or extents of 1");
    expect(() => add(a, half)).toThrow("b is float16; expected float32, as a");
    expect(() => add(1, 2)).toThrow("a and b are 1 and 2; expected at least one tensor");
    expect(() => mul(a, NaN)).toThrow("b is NaN; expected a number or a tensor");
    expect(() => scale(a, b)).toThrow("factor has shape [2]; expected a number, or a tensor of one value");
    expect(() => add(a, a, { actvation: "relu" } as never)).toThrow("did you mean activation?");
  });
});

describe("gradients of what was broadcast", () => {
  gpuTest("are sums of any length, in one order of layout or the other", async ({ bare: engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    const random = new Random(5);
    const integers = (count: number): Float32Array =>
      Float32Array.from({ length: count }, () => Math.floor(9 * random.next()) - 4);
    for (const [shape, layout] of [
      [[3, 5, 90, 51], "channels-first"],
      [[2, 91, 17, 70], "channels-last"],
      [[70_000], "channels-first"],
    ] as const) {
      const size = shape.reduce<number>((x, y) => x * y, 1);
      const channels = shape.length === 1 ? 1 : layout === "channels-last" ? shape[3] : shape[1];
      const given = { a: integers(size), b: integers(channels), upstream: integers(size) };
      const gradient = async (own: Engine): Promise<number[]> => {
        using a = own.tensor(given.a, shape);
        using b = own.tensor(given.b, [channels]);
        using upstream = own.tensor(given.upstream, shape);
        using tape = new Tape(own);
        using y: Tensor = tape.run(() => mul(a, b, { layout }));
        const [db] = tape.gradients(y, [b], { upstream });
        const values = [...(await db.data())];
        db.dispose();
        return values;
      };
      expect(await gradient(engine)).toEqual(await gradient(cpu));
    }
  });
});
