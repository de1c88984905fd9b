/** Max and average pooling: values, gradients, sizes, NaN. */
import type { Engine, Tensor } from "webgpu-conv";
import {
  type AveragePoolOptions,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  type MaxPoolOptions,
  Tape,
} from "webgpu-conv/nn";
import { createEngine } from "test-engine";
import { describe, expect } from "vitest";
import { Random, smallIntegers } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients } from "../../support/nn/checkGradients.js";

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Values far enough from each other that a small difference changes no maximum. */
function shuffled(shape: readonly number[], seed = 5): Float32Array {
  const random = new Random(seed);
  const values = Float32Array.from({ length: size(shape) }, (_, i) => i / 8 - 3);
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [values[i], values[j]] = [values[j], values[i]];
  }
  return values;
}

const checkMax = async (
  engine: Engine,
  shape: readonly number[],
  pool: (x: Tensor, options: MaxPoolOptions) => Tensor,
  options: MaxPoolOptions,
): Promise<void> =>
  checkGradients(engine, {
    inputs: { x: { shape, values: shuffled(shape) } },
    compute: ({ x }) => pool(x, options),
  });

describe("max pooling", () => {
  gpuTest("windows of any kind, and gradients where they overlap", async ({ bare: engine }) => {
    const options: MaxPoolOptions[] = [
      { kernel: 2 },
      { kernel: 3, stride: 2, padding: 1 },
      { kernel: 3, stride: 1, padding: [1, 0] },
      { kernel: [1, 3], stride: [2, 1], dilation: 2, padding: [0, 1] },
      {
        kernel: [3, 2],
        stride: [2, 3],
        ceilMode: true,
        padding: [
          [2, 1],
          [0, 1],
        ],
      },
      { kernel: 2, stride: 3, ceilMode: true },
      { kernel: 2, stride: 1, padding: "same" },
    ];
    for (const each of options) await checkMax(engine, [2, 2, 5, 6], maxPool2d, each);
  });

  gpuTest("channels last, without a batch, in one and three dimensions", async ({ bare: engine }) => {
    const layout = "channels-last";
    await checkMax(engine, [2, 5, 4, 3], maxPool2d, { kernel: 3, stride: 2, padding: 1, layout });
    await checkMax(engine, [4, 5, 3], maxPool2d, { kernel: 2, ceilMode: true, layout });
    await checkMax(engine, [3, 5, 4], maxPool2d, { kernel: 2, stride: 1 });
    await checkMax(engine, [2, 3, 9], maxPool1d, { kernel: 3, stride: 2, dilation: 2, padding: 1 });
    await checkMax(engine, [7, 3], maxPool1d, { kernel: 2, layout });
    await checkMax(engine, [1, 2, 4, 3, 5], maxPool3d, { kernel: [2, 1, 3], stride: [1, 2, 2], padding: [0, 0, 1] });
    await checkMax(engine, [3, 3, 4, 2], maxPool3d, { kernel: 2, stride: 1, padding: 1, layout });
  });

  gpuTest("windows of more than 64 taps, and of more than 4,096", async ({ bare: engine }) => {
    await checkMax(engine, [1, 2, 11, 10], maxPool2d, { kernel: 9, stride: 2, padding: 3 });
    using x = engine.tensor(shuffled([2, 1, 70, 70]), [2, 1, 70, 70]);
    using tape = new Tape(engine);
    using y = tape.run(() => maxPool2d(x, { kernel: 66, stride: 2 }));
    using upstream = engine.tensor(
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18].slice(0, y.size),
      y.shape,
    );
    const [dx] = tape.gradients(y, [x], { upstream });
    const [values, gradients] = [await x.data(), await dx.data()];
    const tops = await y.data();
    expect(y.shape).toEqual([2, 1, 3, 3]);
    for (const top of new Set(tops)) {
      const at = values.indexOf(top, tops.indexOf(top) < 9 ? 0 : 4900);
      const expected = [...tops].reduce((sum, each, i) => sum + (each === top && i < 9 === at < 4900 ? i + 1 : 0), 0);
      expect(gradients[at]).toBe(expected);
    }
    expect(gradients.reduce((a, b) => a + b, 0)).toBe((18 * 19) / 2);
    dx.dispose();
  });

  gpuTest("the first of equal values gets the gradient, and NaN wins", async ({ bare: engine }) => {
    const nan = NaN;
    const values = [1, 1, -Infinity, -Infinity, 1, 1, -Infinity, -Infinity, 3, nan, 0, -0, nan, 5, 0, 0];
    using cpu = await createEngine({ backend: "cpu" });
    for (const own of [engine, cpu]) {
      using x = own.tensor(values, [1, 1, 4, 4]);
      using tape = new Tape(own);
      using y = tape.run(() => maxPool2d(x, { kernel: 2 }));
      expect([...(await y.data())]).toEqual([1, -Infinity, nan, 0]);
      using upstream = own.tensor([1, 2, 3, 4], y.shape);
      const [dx] = tape.gradients(y, [x], { upstream });
      // Of several NaN the last is taken, as by PyTorch.
      expect([...(await dx.data())]).toEqual([1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 3, 0, 0, 0]);
      dx.dispose();
    }
  });

  gpuTest("a window whose taps all lie in the padding is -Infinity and has no gradient", async ({ bare: engine }) => {
    using x = engine.tensor([7], [1, 1, 1]);
    using tape = new Tape(engine);
    using y = tape.run(() => maxPool1d(x, { kernel: 2, dilation: 2, padding: 1 }));
    expect([...(await y.data())]).toEqual([-Infinity]);
    using upstream = engine.tensor([5], y.shape);
    const [dx] = tape.gradients(y, [x], { upstream });
    expect([...(await dx.data())]).toEqual([0]);
    dx.dispose();
  });
});

const averages: AveragePoolOptions[] = [
  { kernel: 2 },
  { kernel: 3, stride: 2, padding: 1 },
  { kernel: 3, stride: 2, padding: 1, countIncludePad: false },
  { kernel: [2, 3], stride: [3, 2], padding: [1, 1], ceilMode: true },
  { kernel: [2, 3], stride: [3, 2], padding: [1, 1], ceilMode: true, countIncludePad: false },
  {
    kernel: 3,
    stride: 1,
    padding: [
      [0, 2],
      [1, 0],
    ],
    divisorOverride: 5,
  },
  { kernel: 3, stride: 1, padding: "same", countIncludePad: false },
];

describe("average pooling", () => {
  gpuTest("windows of any kind, and gradients where they overlap", async ({ bare: engine }) => {
    for (const options of averages) {
      await checkGradients(engine, {
        inputs: { x: { shape: [2, 2, 5, 6] } },
        compute: ({ x }) => avgPool2d(x, options),
      });
    }
    for (const options of averages.slice(3, 6)) {
      await checkGradients(engine, {
        inputs: { x: { shape: [5, 4, 3] } },
        compute: ({ x }) => avgPool2d(x, { ...options, layout: "channels-last" }),
      });
    }
  });

  gpuTest("in one and three dimensions, and windows of many values", async ({ bare: engine }) => {
    await checkGradients(engine, {
      inputs: { x: { shape: [2, 3, 9] } },
      compute: ({ x }) => avgPool1d(x, { kernel: 4, stride: 2, padding: 1, ceilMode: true }),
    });
    await checkGradients(engine, {
      inputs: { x: { shape: [2, 3, 4, 5] } },
      compute: ({ x }) => avgPool3d(x, { kernel: [2, 3, 2], stride: 1, padding: 1 }),
    });
    await checkGradients(engine, {
      inputs: { x: { shape: [1, 150] } },
      compute: ({ x }) => avgPool1d(x, { kernel: 140, stride: 3 }),
    });
  });
});

describe("pooling", () => {
  gpuTest("larger tensors, exactly", async ({ bare: engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    for (const [shape, layout] of [
      [[3, 7, 33, 29], "channels-first"],
      [[3, 33, 29, 7], "channels-last"],
    ] as const) {
      const values = smallIntegers(new Random(3), size(shape));
      const run = async (own: Engine, pool: (x: Tensor) => Tensor): Promise<Float32Array[]> => {
        using x = own.tensor(values, shape);
        using tape = new Tape(own);
        using y = tape.run(() => pool(x));
        using upstream = own.tensor(smallIntegers(new Random(4), y.size), y.shape);
        const [dx] = tape.gradients(y, [x], { upstream });
        const results = [await y.data(), await dx.data()];
        dx.dispose();
        return results;
      };
      for (const pool of [
        (x: Tensor) => maxPool2d(x, { kernel: 3, stride: 2, padding: 1, layout }),
        (x: Tensor) => avgPool2d(x, { kernel: 4, stride: 2, padding: 1, layout }),
      ]) {
        expect(await run(engine, pool)).toEqual(await run(cpu, pool));
      }
    }
  });

  gpuTest(
    "sizes are PyTorch's: rounded up, without windows that begin in the padding at the end",
    ({ bare: engine }) => {
      for (const [input, options, output] of [
        [5, { kernel: 2 }, 2],
        [5, { kernel: 2, ceilMode: true }, 3],
        [6, { kernel: 3, stride: 2, padding: 1 }, 3],
        [6, { kernel: 3, stride: 2, padding: 1, ceilMode: true }, 4],
        [4, { kernel: 2, stride: 3, ceilMode: true }, 2],
        [4, { kernel: 1, stride: 3, ceilMode: true }, 2],
        [3, { kernel: 2, stride: 2, padding: 1, ceilMode: true }, 2],
        [2, { kernel: 3, stride: 2, ceilMode: true }, 1],
      ] as const) {
        using x = engine.tensor(new Float32Array(input), [1, 1, input]);
        using most = maxPool1d(x, options);
        using mean = avgPool1d(x, options);
        expect(most.shape, `${String(input)} ${JSON.stringify(options)}`).toEqual([1, 1, output]);
        expect(mean.shape).toEqual([1, 1, output]);
      }
    },
  );

  gpuTest("float16, and empty batches", async ({ bare: engine }) => {
    using x = engine.tensor([1, 2, 3, 4, 5, 6, 7, 8.5], [1, 2, 4], { dtype: "float16" });
    using tape = new Tape(engine);
    const [most, mean] = tape.run(() => [maxPool1d(x, { kernel: 2 }), avgPool1d(x, { kernel: 2 })]);
    expect([most.dtype, mean.dtype]).toEqual(["float16", "float16"]);
    expect([...(await most.data())]).toEqual([2, 4, 6, 8.5]);
    expect([...(await mean.data())]).toEqual([1.5, 3.5, 5.5, 7.75]);
    using upstream = engine.tensor([1, 2, 3, 4], most.shape, { dtype: "float16" });
    const [dx] = tape.gradients(most, [x], { upstream });
    expect(dx.dtype).toBe("float16");
    expect([...(await dx.data())]).toEqual([0, 1, 0, 2, 0, 3, 0, 4]);
    for (const each of [dx, most, mean]) each.dispose();

    using none = engine.tensor([], [0, 2, 4]);
    using pooled = tape.run(() => maxPool1d(none, { kernel: 2 }));
    using nothing = engine.tensor([], pooled.shape);
    const [dnone] = tape.gradients(pooled, [none], { upstream: nothing });
    expect([pooled.shape, dnone.shape]).toEqual([
      [0, 2, 2],
      [0, 2, 4],
    ]);
    dnone.dispose();
  });

  gpuTest("says what does not fit", ({ bare: engine }) => {
    using x = engine.tensor(new Float32Array(32), [1, 2, 4, 4]);
    const wrong = (value: unknown): never => value as never;
    for (const [call, message] of [
      [() => maxPool2d(x, wrong({})), "kernel is undefined; expected the window's extents: { kernel: 2 }"],
      [() => maxPool2d(x, wrong(2)), "options is 2; expected an object: { kernel: 2 }"],
      [() => maxPool2d(x, wrong({ kernelSize: 2 })), "unknown option kernelSize: did you mean kernel?"],
      [() => avgPool2d(x, wrong({ kernel: 2, dilation: 2 })), "unknown option dilation"],
      [() => maxPool2d(x, { kernel: 5 }), "x of shape [1, 2, 4, 4] has room for [0, 0] windows of [5, 5]"],
      [
        () => maxPool2d(x, { kernel: 2, padding: 2 }),
        "padding is [2, 2] along spatial axis 0; expected at least 0 and less than the 2",
      ],
      [
        () =>
          maxPool2d(x, {
            kernel: 2,
            padding: [
              [-1, 0],
              [0, 0],
            ],
          }),
        "padding is [-1, 0] along spatial axis 0",
      ],
      [() => maxPool2d(x, { kernel: 2, stride: 0 }), "stride is 0; expected an integer of at least 1"],
      [() => maxPool2d(x, wrong({ kernel: 2, ceilMode: 1 })), "ceilMode is 1; expected a boolean"],
      [() => maxPool1d(x, { kernel: 2 }), "x has shape [1, 2, 4, 4]; expected 3 dimensions [N, C, W], or 2 without N"],
      [
        () => avgPool2d(x, { kernel: 2, divisorOverride: 0 }),
        "divisorOverride is 0; expected an integer of at least 1",
      ],
      [() => avgPool2d(wrong(7), { kernel: 2 }), "x is 7"],
    ] as const) {
      expect(call).toThrow(message);
    }
    using short = engine.tensor([1, 2, 3], [1, 1, 3]);
    using tape = new Tape(engine);
    const wide = { kernel: 2 ** 24 + 1, padding: 2 ** 23 };
    expect(() => tape.run(() => maxPool1d(short, wide))).toThrow(
      "windows have 16777217 taps; expected at most 2^24 on a tape",
    );
  });
});
