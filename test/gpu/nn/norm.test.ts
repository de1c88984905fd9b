/** Normalisations: values and gradients, in every layout; statistics, running ones too; errors. */
import type { Engine, Tensor } from "webgpu-conv";
import { batchNorm, groupNorm, instanceNorm, layerNorm, type NormOptions } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { Random } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { checkGradients, type Input } from "../../support/nn/checkGradients.js";

const LAYOUTS = ["channels-first", "channels-last"] as const;

/** [N, C, ...] in a layout. */
const inLayout = ([n, c, ...spatial]: readonly number[], layout: (typeof LAYOUTS)[number]): number[] =>
  layout === "channels-first" ? [n, c, ...spatial] : [n, ...spatial, c];

const SHAPES = [
  [6, 5],
  [3, 4, 7],
  [2, 3, 4, 3],
  [2, 8, 2, 2, 1],
];

const positive = (channels: number): number[] => Array.from({ length: channels }, (_, c) => 0.5 + c / channels);

/** Inputs of a normalisation of x with all that can be fused. */
const inputsFor = (shape: readonly number[], parameters: readonly number[]): Record<"x" | "w" | "b" | "r", Input> => ({
  x: { shape },
  w: { shape: parameters },
  b: { shape: parameters },
  r: { shape },
});

type Names = Readonly<Record<"x" | "w" | "b" | "r", Tensor>>;

type Fused = (tensors: Names) => NormOptions;

const ALL: Fused = ({ w, b, r }) => ({ weight: w, bias: b, residual: r, activation: "tanh", eps: 1e-3 });
/** Parts of it. */
const SOME: readonly Fused[] = [
  () => ({}),
  ({ w }) => ({ weight: w, activation: "relu" }),
  ({ b, r }) => ({ bias: b, residual: r }),
];

/** What is not used has no gradient: it is left out of the inputs. */
function used(inputs: Record<"x" | "w" | "b" | "r", Input>, fused: Fused) {
  const mark = Object.fromEntries(Object.keys(inputs).map((name) => [name, name])) as unknown as Names;
  const options = fused(mark);
  const names = new Set<unknown>(["x", options.weight, options.bias, options.residual]);
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => names.has(name))) as typeof inputs;
}

async function check(
  engine: Engine,
  shape: readonly number[],
  parameters: readonly number[],
  norm: (tensors: Names, options: NormOptions) => Tensor,
  fusions: readonly Fused[] = [ALL],
): Promise<void> {
  for (const fused of fusions) {
    await checkGradients(engine, {
      inputs: used(inputsFor(shape, parameters), fused),
      compute: (tensors) => norm(tensors, fused(tensors)),
    });
  }
}

describe("batchNorm", () => {
  for (const layout of LAYOUTS) {
    const options = { layout, training: true };
    gpuTest(`in training, ${layout}`, async ({ bare: engine }) => {
      for (const shape of SHAPES) {
        await check(engine, inLayout(shape, layout), [shape[1]], ({ x }, own) => batchNorm(x, { ...own, ...options }));
      }
    });

    gpuTest(`in evaluation, ${layout}`, async ({ bare: engine }) => {
      for (const [i, fused] of [ALL, ...SOME].entries()) {
        const shape = SHAPES[i % SHAPES.length];
        const inputs = {
          ...used(inputsFor(inLayout(shape, layout), [shape[1]]), fused),
          mean: { shape: [shape[1]], isConstant: true },
          variance: { shape: [shape[1]], isConstant: true, values: positive(shape[1]) },
        };
        await checkGradients(engine, {
          inputs,
          compute: ({ mean, variance, ...tensors }) =>
            batchNorm(tensors.x, { ...fused(tensors), layout, runningMean: mean, runningVar: variance }),
        });
      }
    });
  }

  gpuTest("whatever is fused", async ({ bare: engine }) => {
    const norm = ({ x }: Names, own: NormOptions): Tensor => batchNorm(x, { ...own, training: true });
    await check(engine, [3, 4, 7], [4], norm, SOME);
    for (const activation of ["gelu", "sigmoid", "relu6", "elu"] as const) {
      await check(engine, [3, 2, 5], [2], norm, [({ w, b }) => ({ weight: w, bias: b, activation })]);
    }
  });
});

describe("groupNorm, instanceNorm and layerNorm", () => {
  for (const layout of LAYOUTS) {
    gpuTest(`groups, ${layout}`, async ({ bare: engine }) => {
      const cases: [shape: number[], groups: number][] = [
        [[2, 4, 5], 2],
        [[2, 6, 4, 5], 3],
        [[2, 3, 17], 1],
      ];
      for (const [shape, groups] of cases) {
        await check(engine, inLayout(shape, layout), [shape[1]], ({ x }, own) =>
          groupNorm(x, groups, { ...own, layout }),
        );
      }
    });

    gpuTest(`instances, ${layout}`, async ({ bare: engine }) => {
      for (const shape of [
        [2, 3, 5],
        [2, 4, 4, 5],
      ]) {
        await check(engine, inLayout(shape, layout), [shape[1]], ({ x }, own) => instanceNorm(x, { ...own, layout }));
      }
    });
  }

  gpuTest("groups of channels alone, and whatever is fused", async ({ bare: engine }) => {
    await check(engine, [3, 10], [10], ({ x }, own) => groupNorm(x, 2, own), SOME);
  });

  gpuTest("layers of one axis and several", async ({ bare: engine }) => {
    const cases: [shape: number[], last: number[]][] = [
      [[5, 7], [7]],
      [
        [3, 2, 5],
        [2, 5],
      ],
      [
        [2, 3, 4],
        [2, 3, 4],
      ],
    ];
    for (const [shape, last] of cases) await check(engine, shape, last, ({ x }, own) => layerNorm(x, last, own));
    await check(engine, [2, 3, 8], [8], ({ x }, own) => layerNorm(x, 8, own), SOME);
  });
});

describe("statistics", () => {
  gpuTest("of means that are large beside deviations", async ({ bare: engine }) => {
    for (const layout of LAYOUTS) {
      for (const [n, c, positions] of [
        [4, 3, 5000],
        [64, 5, 77],
        [1, 2, 40_000],
      ]) {
        await checkLargeMean(engine, inLayout([n, c, positions], layout), layout);
      }
    }
  });

  gpuTest("running ones, at each run of a sequence", async ({ bare: engine }) => {
    using x = engine.tensor([1, 2, 3, 4, 5, 9], [3, 2]);
    using runningMean = engine.tensor([0, 10], [2]);
    using runningVar = engine.tensor([1, 1], [2]);
    const options = { runningMean, runningVar, training: true, momentum: 0.25 };
    using y = batchNorm(x, options);
    const mean = [3, 5];
    const unbiased = [4, 13];
    const expected = { mean: [0, 10], variance: [1, 1] };
    const step = (): void => {
      for (const c of [0, 1]) {
        expected.mean[c] = 0.75 * expected.mean[c] + 0.25 * mean[c];
        expected.variance[c] = 0.75 * expected.variance[c] + 0.25 * unbiased[c];
      }
    };
    step();
    expect([...(await runningMean.data())]).toEqual(expected.mean);
    expect([...(await runningVar.data())]).toEqual(expected.variance);
    using sequence = await engine.compile(() => batchNorm(x, options));
    using last = sequence.result;
    for (let i = 0; i < 3; i++) {
      sequence.run();
      step();
    }
    expect(expectedClose(await runningMean.data(), expected.mean)).toBe(true);
    expect(expectedClose(await runningVar.data(), expected.variance)).toBe(true);
    expect(await last.data()).toEqual(await y.data());
  });
});

/** Reals of mean 1000 and deviation 1, against float64. */
async function checkLargeMean(engine: Engine, shape: readonly number[], layout: (typeof LAYOUTS)[number]) {
  const random = new Random(5);
  const size = shape.reduce((a, b) => a * b, 1);
  const channels = layout === "channels-first" ? shape[1] : shape[2];
  const values = Float32Array.from({ length: size }, () => 1000 + 3.46 * (random.next() - 0.5));
  const channelOf = (i: number): number =>
    layout === "channels-first" ? Math.floor(i / shape[2]) % channels : i % channels;
  const count = size / channels;
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  for (const [i, value] of values.entries()) mean[channelOf(i)] += value / count;
  for (const [i, value] of values.entries()) variance[channelOf(i)] += (value - mean[channelOf(i)]) ** 2 / count;
  using x = engine.tensor(values, shape);
  using runningMean = engine.tensor(new Float32Array(channels), [channels]);
  using runningVar = engine.tensor(new Float32Array(channels), [channels]);
  using y = batchNorm(x, { layout, training: true, momentum: 1, runningMean, runningVar });
  // Moments are relative to the first value; then the mean is rounded to a multiple of 2^-14, as float32 has around 1000.
  const meanError = 1.1 * 2 ** -15;
  const means = await runningMean.data();
  const variances = await runningVar.data();
  for (let c = 0; c < channels; c++) {
    expect(Math.abs(means[c] - mean[c])).toBeLessThanOrEqual(meanError);
    expect(Math.abs(variances[c] / ((variance[c] * count) / (count - 1)) - 1)).toBeLessThanOrEqual(2 ** -19);
  }
  let worst = 0;
  for (const [i, actual] of (await y.data()).entries()) {
    const expected = (values[i] - mean[channelOf(i)]) / Math.sqrt(variance[channelOf(i)] + 1e-5);
    const error = Math.abs(actual - expected) - 2 ** -19 * Math.abs(expected);
    worst = Number.isNaN(error) ? NaN : Math.max(worst, error);
  }
  expect(worst).toBeLessThanOrEqual(1.1 * meanError);
}

const expectedClose = (actual: Float32Array, expected: readonly number[]): boolean =>
  expected.every((value, i) => Math.abs(actual[i] - value) <= 1e-6 * Math.abs(value));
