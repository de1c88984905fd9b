/** Cross-entropy: values and gradients by labels and distributions, in both layouts; labels that are none; larger sizes. */
import { createEngine, type Engine, type Tensor } from "webgpu-conv";
import { checkLabels, crossEntropy, type CrossEntropyOptions, Tape } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { Random } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients, expectClose } from "../../support/nn/checkGradients.js";

const distributions = (rows: number, classes: number): number[] =>
  Array.from({ length: rows }, (_, row) => {
    const shares = Array.from({ length: classes }, (_, c) => 1 + ((row * 5 + c * 3) % 7));
    const sum = shares.reduce((a, b) => a + b, 0);
    return shares.map((share) => share / sum);
  }).flat();

describe("crossEntropy of labels", () => {
  gpuTest("each reduction, with smoothing, weights and ignored rows", async ({ bare: engine }) => {
    const inputs = {
      x: { shape: [4, 5] },
      labels: { shape: [4], values: [3, 0, -100, 4], isConstant: true },
      weight: { shape: [5], values: [0.5, 1, 2, 0.25, 3], isConstant: true },
    };
    const choices: CrossEntropyOptions[] = [
      {},
      { reduction: "sum" },
      { reduction: "none" },
      { labelSmoothing: 0.1 },
      { ignoreIndex: 3 },
    ];
    for (const options of choices) {
      const labels = options.ignoreIndex === 3 ? { ...inputs.labels, values: [3, 0, 3, 4] } : inputs.labels;
      await checkGradients(engine, {
        inputs: { ...inputs, labels },
        compute: ({ x, labels, weight }) => [
          crossEntropy(x, labels, options),
          crossEntropy(x, labels, { ...options, weight }),
        ],
      });
    }
  });

  gpuTest("a label a pixel, in both layouts", async ({ bare: engine }) => {
    const labels = { shape: [2, 3, 4], values: Array.from({ length: 24 }, (_, i) => (i * 5) % 3), isConstant: true };
    for (const reduction of ["mean", "none"] as const) {
      await checkGradients(engine, {
        inputs: { x: { shape: [2, 3, 3, 4] }, labels },
        compute: ({ x, labels }) => crossEntropy(x, labels, { reduction }),
      });
      await checkGradients(engine, {
        inputs: { x: { shape: [2, 3, 4, 3] }, labels },
        compute: ({ x, labels }) => crossEntropy(x, labels, { reduction, layout: "channels-last" }),
      });
    }
  });

  gpuTest("large logits, infinities, NaN, labels that are no class", async ({ bare: engine }) => {
    const classes = 3;
    const losses = async (logits: number[], labels: number[]): Promise<number[]> => {
      using x = engine.tensor(logits, [labels.length, classes]);
      using y = engine.tensor(labels, [labels.length]);
      using tape = new Tape(engine);
      using loss = tape.run(() => crossEntropy(x, y, { reduction: "none" }));
      using upstream = engine.tensor(new Float32Array(labels.length).fill(1), [labels.length]);
      const [dx] = tape.gradients(loss, [x], { upstream });
      const values = [...(await loss.data()), ...(await dx.data())];
      dx.dispose();
      return values;
    };
    const large = await losses([1e4, 9.999e3, -1e4, -Infinity, 0, 0], [1, 2]);
    const p = 1 / (1 + Math.exp(-1));
    expectClose(large, [1 + Math.log1p(Math.exp(-1)), Math.LN2, p, -p, 0, 0, 0.5, -0.5], 1e-6, "large logits");
    for (const logits of [
      [NaN, 0, 0],
      [0, Infinity, 0],
      [-Infinity, -Infinity, -Infinity],
    ]) {
      expect(await losses(logits, [1])).toEqual([NaN, NaN, NaN, NaN]);
      expect(await losses(logits, [-100])).toEqual([0, 0, 0, 0]);
    }
    for (const label of [3, -1, 0.5, NaN, 1e30]) {
      expect((await losses([1, 2, 3, 1, 1, 1], [label, 0])).map(Number.isNaN)).toEqual([
        true,
        false,
        true,
        true,
        true,
        false,
        false,
        false,
      ]);
    }
    using x = engine.tensor([1, 2, 3, 1, 1, 1], [2, 3]);
    using wrong = engine.tensor([0, 7], [2]);
    using mean = crossEntropy(x, wrong);
    expect([...(await mean.data())]).toEqual([NaN]);
  });
});

/** Losses of rows of three logits, and their gradients. */
async function rowsOf(
  engine: Engine,
  logits: readonly number[],
  target: readonly number[],
  options: Omit<CrossEntropyOptions, "weight" | "reduction"> & { readonly weight?: readonly number[] } = {},
): Promise<readonly (readonly number[])[]> {
  const rows = logits.length / 3;
  const { weight: weights, ...others } = options;
  using x = engine.tensor([...logits], [rows, 3]);
  using y = engine.tensor([...target], target.length === rows ? [rows] : [rows, 3]);
  using weight = engine.tensor([...(weights ?? [1, 1, 1])], [3]);
  using upstream = engine.tensor(new Float32Array(rows).fill(1), [rows]);
  using tape = new Tape(engine);
  using loss = tape.run(() => crossEntropy(x, y, { ...others, ...(weights && { weight }), reduction: "none" }));
  const [dx] = tape.gradients(loss, [x], { upstream });
  const values = [[...(await loss.data())], [...(await dx.data())]];
  dx.dispose();
  return values;
}

// As the formulas of PyTorch's nll_loss and cross_entropy have it: 0 times infinity is NaN, and gradients do not read the loss.
describe("crossEntropy of logits of -infinity, and weights of 0", () => {
  gpuTest("is PyTorch's, on the device and on the CPU", async ({ bare: engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    const none = [-Infinity, 0, 0];
    const middle = [0, -Infinity, 0];
    for (const own of [engine, cpu]) {
      const expectRows = async (
        [losses, gradients]: readonly [readonly number[], readonly number[]],
        ...given: Parameters<typeof rowsOf> extends [Engine, ...infer Rest] ? Rest : never
      ): Promise<void> => {
        const [actual, dx] = await rowsOf(own, ...given);
        for (const [i, loss] of losses.entries()) {
          if (Number.isFinite(loss)) expect(actual[i]).toBeCloseTo(loss, 6);
          else expect(actual[i]).toBe(loss);
        }
        expectClose(dx, gradients, 1e-6, "gradient");
      };
      await expectRows(
        [
          [Infinity, Math.LN2],
          [-1, 0.5, 0.5, 0, -0.5, 0.5],
        ],
        [...none, ...none],
        [0, 1],
      );
      const smooth = { labelSmoothing: 0.3 };
      await expectRows(
        [
          [Infinity, Infinity],
          [-0.8, 0.4, 0.4, -0.1, -0.3, 0.4],
        ],
        [...none, ...none],
        [0, 1],
        smooth,
      );
      await expectRows(
        [
          [NaN, Infinity],
          [0, 0, 0, -1, 0.5, 0.5],
        ],
        [...none, ...none],
        [0, 0.5, 0.5, 1, 0, 0],
      );
      await expectRows(
        [
          [Infinity, NaN],
          [0, -0.5, 0.5, 0, 0, 0],
        ],
        [...middle, ...middle],
        [0.5, 0.5, 0, 0.5, 0, 0.5],
      );
      const weight = [0, 1, 1];
      await expectRows(
        [
          [NaN, 0],
          [0, 0, 0, 0, 0, 0],
        ],
        [...none, 0, 0, 0],
        [0, 0],
        { weight },
      );
      // A label that weighs nothing is not ignored: the other classes have their parts of 0.3 / 3.
      const rest = 0.2 / 3 - 0.1;
      await expectRows([[0.2 * Math.log(3)], [0.2 / 3, rest, rest]], [0, 0, 0], [0], { weight, ...smooth });
    }
  });

  gpuTest("counts a label by its weight in a mean, also of 0", async ({ bare: engine }) => {
    await checkGradients(engine, {
      inputs: {
        x: { shape: [4, 3] },
        labels: { shape: [4], values: [0, 1, -100, 2], isConstant: true },
        weight: { shape: [3], values: [0, 0.5, 2], isConstant: true },
      },
      compute: ({ x, labels, weight }) => [
        crossEntropy(x, labels, { weight }),
        crossEntropy(x, labels, { weight, labelSmoothing: 0.2 }),
        crossEntropy(x, labels, { weight, labelSmoothing: 0.2, reduction: "none" }),
      ],
    });
  });
});

describe("crossEntropy of distributions", () => {
  gpuTest("in both layouts, with smoothing and weights", async ({ bare: engine }) => {
    const weight = { shape: [4], values: [0.5, 1, 2, 0.25], isConstant: true };
    for (const [shape, layout] of [
      [[3, 4], "channels-first"],
      [[2, 3, 4], "channels-last"],
    ] as const) {
      const size = shape.reduce<number>((a, b) => a * b, 1);
      const t = { shape, values: distributions(size / 4, 4), isConstant: true };
      await checkGradients(engine, {
        inputs: { x: { shape }, t, weight },
        compute: ({ x, t, weight }) => [
          crossEntropy(x, t, { layout }),
          crossEntropy(x, t, { layout, reduction: "sum", labelSmoothing: 0.2, weight }),
          crossEntropy(x, t, { layout, reduction: "none" }),
        ],
      });
    }
  });
});

describe("crossEntropy of more rows and classes", () => {
  gpuTest("is that of the CPU, whatever lanes and workgroups there are", async ({ bare: engine }) => {
    using cpu = await createEngine({ backend: "cpu" });
    const random = new Random(7);
    for (const [shape, classes, layout] of [
      [[300, 33], 33, "channels-first"],
      [[3, 5000], 5000, "channels-first"],
      [[2, 130, 5, 7], 130, "channels-first"],
      [[3, 70, 61, 4], 4, "channels-last"],
    ] as const) {
      const size = shape.reduce<number>((a, b) => a * b, 1);
      const logits = Float32Array.from({ length: size }, () => 6 * random.next() - 3);
      const labels = Float32Array.from({ length: size / classes }, () => Math.floor(random.next() * classes));
      const labelShape = layout === "channels-last" ? shape.slice(0, -1) : [shape[0], ...shape.slice(2)];
      const compute = async (own: Engine): Promise<readonly Float32Array[]> => {
        using x = own.tensor(logits, shape);
        using y = own.tensor(labels, labelShape);
        using tape = new Tape(own);
        using loss: Tensor = tape.run(() => crossEntropy(x, y, { layout }));
        const [dx] = tape.gradients(loss, [x]);
        const values = [await loss.data(), await dx.data()];
        dx.dispose();
        return values;
      };
      const [loss, dx] = await compute(engine);
      const [exactLoss, exactGradient] = await compute(cpu);
      expectClose(loss, exactLoss, 2e-6, `loss of ${shape.join("x")}`);
      expectClose(dx, exactGradient, 1e-5, `gradient of ${shape.join("x")}`);
    }
  });

  gpuTest("sums rows without a long chain of additions", async ({ bare: engine }) => {
    // One workgroup, a row a round. Added one after the other, 128 such losses are off by 22 to 26 units of 2^-24.
    const [rows, classes] = [128, 64];
    for (const one of [0.7, 0.85, 0.9]) {
      using x = engine.tensor(new Float32Array(rows * classes), [rows, classes]);
      using labels = engine.tensor(new Float32Array(rows), [rows]);
      using weight = engine.tensor(new Float32Array(classes).fill(one), [classes]);
      using loss = crossEntropy(x, labels, { weight, reduction: "sum" });
      expectClose(await loss.data(), [rows * Math.fround(one) * Math.log(classes)], 12 * 2 ** -24, String(one));
    }
  });

  gpuTest("float16 logits, with a float32 loss; new labels in a compiled step", async ({ bare: engine }) => {
    using x = engine.tensor([1, 2, 3, 0, 0, 0], [2, 3], { dtype: "float16" });
    using labels = engine.tensor([2, 0], [2]);
    using compiled = await engine.compile(() => {
      using tape = new Tape(engine);
      const loss = tape.run(() => crossEntropy(x, labels));
      return { loss, ...tape.gradients(loss, { x }) };
    });
    using loss = compiled.result.loss;
    using dx = compiled.result.x;
    expect([loss.dtype, dx.dtype]).toEqual(["float32", "float16"]);
    const logSum = Math.log(Math.exp(1) + Math.exp(2) + Math.exp(3));
    compiled.run();
    expectClose(await loss.data(), [(logSum - 3 + Math.log(3)) / 2], 1e-6, "loss");
    await engine.write(labels, [0, -100]);
    compiled.run();
    expectClose(await loss.data(), [logSum - 1], 1e-6, "loss of one row");
    const softmax = [1, 2, 3].map((value) => Math.exp(value - logSum));
    expectClose(await dx.data(), [softmax[0] - 1, softmax[1], softmax[2], 0, 0, 0], 2 ** -11, "gradient");
  });
});

describe("errors", () => {
  gpuTest("say shapes, rules and remedies", ({ bare: engine }) => {
    using x = engine.tensor([1, 2, 3, 4], [2, 2]);
    using labels = engine.tensor([1, 2, 3], [3]);
    using right = engine.tensor([1, 0], [2]);
    expect(() => crossEntropy(x, labels)).toThrow(
      "target has shape [3]; expected labels of shape [2] or distributions of shape [2, 2], that of logits",
    );
    expect(() => crossEntropy(labels, labels)).toThrow("logits has shape [3]; expected [N, C]");
    expect(() => crossEntropy(x, right, { weight: labels })).toThrow("weight has shape [3]; expected [2]");
    expect(() => crossEntropy(x, right, { labelSmoothing: 2 })).toThrow(
      "labelSmoothing is 2; expected a number from 0 to 1",
    );
    expect(() => crossEntropy(x, right, { ignoreIndex: 0.5 })).toThrow("ignoreIndex is 0.5; expected an integer");
    expect(() => crossEntropy(x, right, { reduction: "avg" as never })).toThrow(/reduction is "avg"; expected/);
    expect(() => checkLabels([0, -100, 2], 2)).toThrow("label 2 is 2; expected an integer from 0 to 1, for 2 classes");
    expect(() => checkLabels([0, NaN], 2)).toThrow("label 1 is NaN");
    expect(() => checkLabels(right as never, 2)).toThrow(/labels is .*; expected numbers on the host/);
    checkLabels([1, -100, 0], 2);
    checkLabels([1, 255], 2, 255);
  });
});
