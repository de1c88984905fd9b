/** Losses of elements, sums and means: values, gradients, element types, errors. */
import { createEngine } from "webgpu-conv";
import { bceWithLogits, crossEntropy, huberLoss, l1Loss, mean, mseLoss, smoothL1Loss, sum, Tape } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { Random } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients, expectClose } from "../../support/nn/checkGradients.js";

const REDUCTIONS = ["mean", "sum", "none"] as const;

describe("losses of elements", () => {
  gpuTest("of differences", async ({ bare: engine }) => {
    for (const reduction of REDUCTIONS) {
      await checkGradients(engine, {
        inputs: { x: { shape: [2, 3, 5] }, t: { shape: [2, 3, 5] } },
        compute: ({ x, t }) => [
          mseLoss(x, t, { reduction }),
          l1Loss(x, t, { reduction }),
          huberLoss(x, t, { reduction, delta: 0.6 }),
          smoothL1Loss(x, t, { reduction, beta: 0.4 }),
        ],
      });
    }
  });

  gpuTest("binary cross-entropy of logits", async ({ bare: engine }) => {
    const t = { shape: [2, 3, 4], values: Array.from({ length: 24 }, (_, i) => (i % 5) / 4) };
    const w = { shape: [3], values: [0.5, 2, 3], isConstant: true };
    for (const reduction of REDUCTIONS) {
      await checkGradients(engine, {
        inputs: { x: { shape: [2, 3, 4] }, t, w },
        compute: ({ x, t, w }) => [
          bceWithLogits(x, t, { reduction }),
          bceWithLogits(x, t, { reduction, posWeight: w }),
        ],
      });
    }
    await checkGradients(engine, {
      inputs: { x: { shape: [2, 4, 3] }, t: { ...t, shape: [2, 4, 3] }, w },
      compute: ({ x, t, w }) => bceWithLogits(x, t, { posWeight: w, layout: "channels-last" }),
    });
    using x = engine.tensor([1e4, -1e4, 1e4, -1e4], [4]);
    using targets = engine.tensor([1, 0, 0, 1], [4]);
    using loss = bceWithLogits(x, targets, { reduction: "none" });
    expect([...(await loss.data())]).toEqual([0, 0, 1e4, 1e4]);
  });

  gpuTest("where elements are equal, NaN, or far apart", async ({ bare: engine }) => {
    for (const [loss, expected, slopes] of [
      [mseLoss, [0, NaN, 9, 4], [0, NaN, 6, -4]],
      [l1Loss, [0, NaN, 3, 2], [0, NaN, 1, -1]],
      [huberLoss, [0, NaN, 2.5, 1.5], [0, NaN, 1, -1]],
    ] as const) {
      using x = engine.tensor([1, NaN, 3, -2], [4]);
      using t = engine.tensor([1, 0, 0, 0], [4]);
      using tape = new Tape(engine);
      using y = tape.run(() => loss(x, t, { reduction: "none" }));
      using upstream = engine.tensor([1, 1, 1, 1], [4]);
      const [dx] = tape.gradients(y, [x], { upstream });
      expect([...(await y.data())]).toEqual(expected);
      expect([...(await dx.data())]).toEqual(slopes);
      dx.dispose();
    }
  });

  gpuTest("of many elements, of float16", async ({ bare: engine }) => {
    const random = new Random(11);
    const count = 300_001;
    const values = Float32Array.from({ length: count }, () => random.next());
    using x = engine.tensor(values, [count]);
    using t = engine.tensor(new Float32Array(count).fill(-1), [count]);
    using loss = mseLoss(x, t);
    const exact = values.reduce((total, value) => total + (value + 1) ** 2, 0) / count;
    expectClose(await loss.data(), [exact], 4e-7, "mean of 300,001 squares");
    using half = engine.tensor([300, -300], [2], { dtype: "float16" });
    using zero = engine.tensor([0, 0], [2], { dtype: "float16" });
    // Beyond float16's largest number: the loss is float32.
    using large = mseLoss(half, zero);
    expect([large.dtype, ...(await large.data())]).toEqual(["float32", 90_000]);
  });

  gpuTest("of an empty batch: sums are 0, means NaN", async ({ bare: engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    for (const own of [engine, cpu]) {
      using x = own.tensor([], [0, 3]);
      using labels = own.tensor([], [0]);
      for (const of of [mseLoss, l1Loss, huberLoss, bceWithLogits, crossEntropy]) {
        const target = of === crossEntropy ? labels : x;
        for (const [reduction, expected] of [
          ["mean", [NaN]],
          ["sum", [0]],
          ["none", []],
        ] as const) {
          using tape = new Tape(own);
          using loss = tape.run(() => of(x, target, { reduction }));
          expect([...(await loss.data())], `${of.name}, ${reduction}`).toEqual(expected);
          if (reduction === "none") continue;
          const [dx] = tape.gradients(loss, [x]);
          expect(dx.shape).toEqual([0, 3]);
          dx.dispose();
        }
      }
      using average = mean(x, { axes: 0 });
      expect([...(await average.data())]).toEqual([NaN, NaN, NaN]);
      using half = own.tensor([], [0, 3], { dtype: "float16" });
      using halves = mean(half);
      using none = sum(half);
      expect([...(await halves.data()), ...(await none.data())]).toEqual([NaN, 0]);
      using other = mean(x, { axes: 1 });
      expect(other.shape).toEqual([0]);
    }
  });

  gpuTest("errors", ({ bare: engine }) => {
    using x = engine.tensor([1, 2], [1, 2]);
    using t = engine.tensor([1, 2], [2]);
    expect(() => mseLoss(x, t)).toThrow("target has shape [2]; expected [1, 2], the shape of x");
    expect(() => huberLoss(x, x, { delta: 0 })).toThrow("delta is 0; expected a number above 0");
    expect(() => smoothL1Loss(x, x, { beta: -1 })).toThrow("beta is -1; expected a number of at least 0");
    expect(() => l1Loss(x, x, { reduction: "max" as never })).toThrow(/reduction is "max"/);
    using w = engine.tensor([1, 2, 3], [3]);
    expect(() => bceWithLogits(x, x, { posWeight: w })).toThrow(
      "posWeight has shape [3]; expected one that is broadcast to [1, 2]",
    );
  });
});

describe("sum and mean", () => {
  gpuTest("over any axes", async ({ bare: engine }) => {
    const axes = [undefined, 0, 1, -1, [0, 2], [1, 3], [0, 2, 3], []];
    for (const over of axes) {
      await checkGradients(engine, {
        inputs: { x: { shape: [2, 3, 4, 5] } },
        compute: ({ x }) => [
          sum(x, over === undefined ? {} : { axes: over }),
          mean(x, { ...(over !== undefined && { axes: over }), keepDims: true }),
        ],
      });
    }
  });

  gpuTest("over axes that alternate with others, however many", async ({ bare: engine }) => {
    for (const [shape, axes] of [
      [
        [2, 3, 2, 3, 2],
        [0, 2, 4],
      ],
      [
        [2, 3, 2, 3, 2],
        [1, 3],
      ],
      [
        [2, 2, 1, 2, 2, 2, 3, 2],
        [0, 3, 5, 7],
      ],
    ] as const) {
      await checkGradients(engine, {
        inputs: { x: { shape } },
        compute: ({ x }) => [sum(x, { axes }), mean(x, { axes, keepDims: true })],
      });
    }
  });

  gpuTest("of many elements, as exact integers and close to float64", async ({ bare: engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    const random = new Random(13);
    const integers = Float32Array.from({ length: 2 * 301 * 257 }, () => Math.floor(17 * random.next()) - 8);
    for (const axes of [[0, 1, 2], [1], [0, 2], [2]]) {
      using x = engine.tensor(integers, [2, 301, 257]);
      using y = cpu.tensor(integers, [2, 301, 257]);
      using actual = sum(x, { axes });
      using expected = sum(y, { axes });
      expect(await actual.data()).toEqual(await expected.data());
    }
    using tenths = engine.tensor(new Float32Array(1_000_000).fill(0.1), [1_000_000]);
    using average = mean(tenths);
    expectClose(await average.data(), [Math.fround(0.1)], 4e-7, "mean of a million tenths");
  });

  gpuTest("errors", ({ bare: engine }) => {
    using x = engine.tensor([1, 2], [1, 2]);
    expect(() => sum(x, { axes: 2 })).toThrow("axes is 2; expected different integers from -2 to 1, for 2 axes");
    expect(() => sum(x, { axes: [0, -2] })).toThrow("axes is [0, -2]; expected different integers");
  });
});
