/** A prelu and the gradient of its slopes: in every solver, layout and dtype, exact on small integers. */
import { ArgumentError, type Engine, type Tensor } from "webgpu-conv";
import {
  activationGradient,
  applyActivation,
  biasGradient,
  type Channels,
  type ConvProblem,
  forward,
  inputGradient,
  makeProblem,
  makeTransposedProblem,
  makeUnsharedProblem,
  slopeGradient,
  unsharedForward,
  weightGradient,
} from "webgpu-conv/reference";
import { expect } from "vitest";
import { createEngine } from "test-engine";
import { plainOperation } from "../../src/calls/calls.js";
import type { ConvOperation } from "../../src/problem/operation.js";
import { isRefusal } from "../../src/planning/solver.js";
import { defaultsOf, isExact } from "../support/candidates.js";
import { Random, smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import { makeValues } from "../support/operations.js";

const integers = (count: number, seed: number): Float32Array<ArrayBuffer> => smallIntegers(new Random(seed), count);
const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

for (const [what, slopes] of [
  ["a slope a channel", 4],
  ["one slope", 1],
] as const) {
  // Chromium's compiler is Node's, Dawn: once is enough.
  gpuTest.skipIf("document" in globalThis)(`fused into every solver: ${what}`, async ({ runner, capabilities }) => {
    const layers = [
      makeProblem(2, [1, 4, 6, 8], [4, 4, 3, 3], { padding: 1 }),
      makeProblem(2, [2, 5, 6, 8], [4, 8, 3, 3], { padding: 1, layout: "channels-last" }),
      ...(slopes > 1 ? [makeProblem(2, [2, 5, 6, 4], [4, 1, 3, 3], { groups: 4, layout: "channels-last" })] : []),
    ];
    for (const problem of layers) {
      const values = { ...makeValues(problem, 5, smallIntegers), slopes: integers(slopes, 6) };
      const operation: ConvOperation = {
        ...plainOperation("forward", problem, { dtype: "float32" }),
        ...{ bias: true, residual: true, activation: { name: "prelu", slopes } },
      };
      const extras = { bias: values.bias, residual: values.residual };
      const activation = { name: "prelu", slope: values.slopes } as const;
      const expected = forward(problem, values.x, values.w, { ...extras, activation });
      const ways = defaultsOf(operation, capabilities, isExact).flatMap(({ solver, config }) => {
        const split = solver.name === "register-tile" ? [{ solver, config: { ...config, splitK: 2 } }] : [];
        return [{ solver, config }, ...split];
      });
      // One slope for all differs by a constant alone.
      for (const { solver, config } of slopes > 1 ? ways : ways.filter(({ solver }) => solver.name === "direct")) {
        const plan = solver.plan(operation, capabilities, config);
        if (isRefusal(plan)) throw new Error(plan.refused);
        const [found] = await runner.run(operation, plan, values);
        const mismatch = exactMismatch(found, expected);
        expect({ solver: solver.name, config, mismatch }).toEqual({ solver: solver.name, config, mismatch: undefined });
      }
    }
  });
}

interface Layer {
  readonly what: string;
  readonly problem: ConvProblem;
  readonly run: (engine: Engine, x: Tensor, w: Tensor, slope: Tensor) => Tensor;
  readonly inputShape: readonly number[];
  readonly expected: (x: Float32Array, w: Float32Array, slope: Float32Array) => Float64Array;
}

const transposed = makeTransposedProblem(2, [1, 3, 4, 5], [3, 5, 3, 3], { stride: 2 });
const unshared = makeUnsharedProblem(2, [1, 3, 4, 5], [2, 3, 5, 3, 3, 3]);
const LAYERS: readonly Layer[] = [
  {
    what: "a transposed convolution",
    problem: transposed,
    inputShape: transposed.outputShape,
    run: (engine, x, w, slope) => engine.convTranspose2d(x, w, { stride: 2, activation: { name: "prelu", slope } }),
    expected: (x, w, slope) => inputGradient(transposed, x, w, { activation: { name: "prelu", slope } }),
  },
  {
    what: "a locally connected layer",
    problem: unshared,
    inputShape: unshared.inputShape,
    run: (engine, x, w, slope) => engine.locallyConnected2d(x, w, { activation: { name: "prelu", slope } }),
    expected: (x, w, slope) => unsharedForward(unshared, x, w, { activation: { name: "prelu", slope } }),
  },
];

for (const { what, problem, run, inputShape, expected } of LAYERS) {
  gpuTest(`fused into ${what}, on the device and on the CPU, in both dtypes`, async ({ engine }) => {
    const [x, w, slope] = [product(inputShape), product(problem.weightShape), 5].map(integers);
    using cpu = await createEngine({ backend: "cpu" });
    for (const on of [engine, cpu]) {
      for (const dtype of ["float32", "float16"] as const) {
        using input = on.tensor(x, inputShape, { dtype });
        using weight = on.tensor(w, problem.weightShape, { dtype });
        using slopes = on.tensor(slope, [5], { dtype });
        using y = run(on, input, weight, slopes);
        expect(exactMismatch(await y.data(), expected(x, w, slope))).toBeUndefined();
      }
    }
  });
}

const SHAPES: readonly {
  readonly shape: readonly number[];
  readonly slopes: number;
  readonly layout: "channels-first" | "channels-last";
  readonly channels: Channels;
}[] = [
  { shape: [2, 5, 3, 7], slopes: 5, layout: "channels-first", channels: { count: 5, stride: 21 } },
  { shape: [2, 3, 7, 5], slopes: 5, layout: "channels-last", channels: { count: 5, stride: 1 } },
  { shape: [2, 5], slopes: 5, layout: "channels-first", channels: { count: 5, stride: 1 } },
  { shape: [2, 5, 3, 7], slopes: 1, layout: "channels-first", channels: { count: 1, stride: 1 } },
  { shape: [31], slopes: 1, layout: "channels-first", channels: { count: 1, stride: 1 } },
  // Long enough to be summed in two stages.
  { shape: [3, 2, 9000], slopes: 2, layout: "channels-first", channels: { count: 2, stride: 9000 } },
  { shape: [3, 2, 9000], slopes: 1, layout: "channels-last", channels: { count: 1, stride: 1 } },
];

for (const { shape, slopes, layout, channels } of SHAPES) {
  gpuTest(`on its own, ${layout} ${String(shape)}, ${String(slopes)} slopes`, async ({ engine }) => {
    const [x, slope, dy] = [product(shape), slopes, product(shape)].map(integers);
    const prelu = { name: "prelu", slope } as const;
    using cpu = await createEngine({ backend: "cpu" });
    for (const on of [engine, cpu]) {
      for (const dtype of ["float32", "float16"] as const) {
        using input = on.tensor(x, shape, { dtype });
        using gradient = on.tensor(dy, shape, { dtype });
        using weights = on.tensor(slope, [slopes], { dtype });
        const activation = { name: "prelu", slope: weights } as const;
        using y = on.activate(input, activation, { layout });
        expect(exactMismatch(await y.data(), applyActivation(x, prelu, channels))).toBeUndefined();
        const options = { activation, preActivation: input, layout };
        using dx = on.activationGradient(gradient, options);
        expect(exactMismatch(await dx.data(), activationGradient(dy, x, prelu, channels))).toBeUndefined();
        using dslope = on.slopeGradient(gradient, options);
        expect(dslope.shape).toEqual([slopes]);
        const sums = slopeGradient(dy, x, channels);
        // Sums beyond 2048 are rounded in float16.
        if (dtype === "float32" || sums.every((sum) => Math.abs(sum) <= 2048)) {
          expect(exactMismatch(await dslope.data(), sums)).toBeUndefined();
        }
      }
    }
  });
}

gpuTest("all gradients of a layer with a prelu", async ({ engine }) => {
  const problem = makeProblem(2, [2, 3, 6, 6], [4, 3, 3, 3], { padding: 1 });
  const [x, w, dy, before, slope] = [216, 108, 288, 288, 4].map(integers);
  const channels = { count: 4, stride: 36 };
  const inner = activationGradient(dy, before, { name: "prelu", slope }, channels);
  using tensors = {
    x: engine.tensor(x, problem.inputShape),
    w: engine.tensor(w, problem.weightShape),
    dy: engine.tensor(dy, problem.outputShape),
    preActivation: engine.tensor(before, problem.outputShape),
    slope: engine.tensor(slope, [4]),
    [Symbol.dispose](this: object) {
      for (const tensor of Object.values(this)) (tensor as Tensor).dispose();
    },
  };
  const { preActivation } = tensors;
  const activation = { name: "prelu", slope: tensors.slope } as const;
  const gradients = engine.conv2dBackward(tensors.dy, tensors.x, tensors.w, { padding: 1, activation, preActivation });
  const expected = {
    input: inputGradient(problem, inner, w),
    weight: weightGradient(problem, inner, x),
    bias: biasGradient(problem, inner),
    slope: slopeGradient(dy, before, channels),
  };
  for (const [name, wanted] of Object.entries(expected)) {
    const tensor = gradients[name as keyof typeof expected];
    expect(tensor && exactMismatch(await tensor.data(), wanted)).toBeUndefined();
    expect(tensor).toBeDefined();
    tensor?.dispose();
  }
  const plain = engine.conv2dBackward(tensors.dy, tensors.x, tensors.w, { padding: 1 });
  expect(Object.keys(plain)).toEqual(["input", "weight", "bias"]);
  plain.dispose();
});

gpuTest("one sample without a batch, and an empty batch", async ({ engine }) => {
  const [x, w, before, dy] = [108, 108, 144, 144].map(integers);
  using slope = engine.tensor(integers(4, 9), [4]);
  using weight = engine.tensor(w, [4, 3, 3, 3]);
  const activation = { name: "prelu", slope } as const;
  const all = async (batch: readonly number[]): Promise<number[][]> => {
    const count = batch.length === 0 ? 1 : batch[0];
    using input = engine.tensor(x.slice(0, 108 * count), [...batch, 3, 6, 6]);
    using preActivation = engine.tensor(before.slice(0, 144 * count), [...batch, 4, 6, 6]);
    using gradient = engine.tensor(dy.slice(0, 144 * count), [...batch, 4, 6, 6]);
    using y = engine.conv2d(input, weight, { padding: 1, activation });
    using found = engine.conv2dBackward(gradient, input, weight, { padding: 1, activation, preActivation });
    const tensors = [y, found.input, found.weight, found.bias, ...(found.slope ? [found.slope] : [])];
    return await Promise.all(tensors.map(async (tensor) => [...(await tensor.data())]));
  };
  const batched = await all([1]);
  expect(batched).toHaveLength(5);
  expect(await all([])).toEqual(batched);
  const nothing = await all([0]);
  expect(nothing[0]).toEqual([]);
  expect(nothing[4]).toEqual([0, 0, 0, 0]);
});

gpuTest("the slope gradient of a million values is summed in short chains", async ({ engine }) => {
  const count = 2 ** 20 + 3;
  using x = engine.tensor(new Float32Array(count).fill(-0.1), [1, 1, count]);
  using dy = engine.tensor(new Float32Array(count).fill(0.3), x.shape);
  using slope = engine.tensor([0.25], [1]);
  using sum = engine.slopeGradient(dy, { activation: { name: "prelu", slope }, preActivation: x });
  const expected = count * Math.fround(0.3) * Math.fround(-0.1);
  expect(Math.abs((await sum.data())[0] / expected - 1)).toBeLessThan(1e-5);
});

gpuTest("NaN, infinities and zeros, by their slopes", async ({ engine }) => {
  const x = [NaN, Infinity, -Infinity, 0, -2, 3];
  using cpu = await createEngine({ backend: "cpu" });
  for (const on of [engine, cpu]) {
    using input = on.tensor(x, [6]);
    using slope = on.tensor([0.5], [1]);
    using dy = on.tensor([1, 1, 1, 1, NaN, NaN], [6]);
    const activation = { name: "prelu", slope } as const;
    using y = on.activate(input, activation);
    expect([...(await y.data())]).toEqual([NaN, Infinity, -Infinity, 0, -1, 3]);
    using dx = on.activationGradient(dy, { activation, preActivation: input });
    expect([...(await dx.data())]).toEqual([NaN, 1, 0.5, 0.5, NaN, NaN]);
    using sum = on.slopeGradient(dy, { activation, preActivation: input });
    expect([...(await sum.data())]).toEqual([NaN]);
  }
});

gpuTest("slopes that fit no channel, no tensor, or no prelu are refused", async ({ engine }) => {
  using x = engine.tensor(new Float32Array(24), [1, 3, 2, 4]);
  using w = engine.tensor(new Float32Array(6), [2, 3, 1, 1]);
  using three = engine.tensor([1, 2, 3], [3]);
  using half = engine.tensor([1], [1], { dtype: "float16" });
  using square = engine.tensor([1], [1, 1]);
  const run = (slope: Tensor) => () => engine.conv2d(x, w, { activation: { name: "prelu", slope } });
  const refused = (call: () => unknown, message: string): void => expect(call).toThrow(new ArgumentError(message));
  const shaped = (shape: string): string =>
    `activation.slope has shape ${shape}; expected [1] or [2], one slope or one a channel`;
  refused(run(three), shaped("[3]"));
  refused(run(square), shaped("[1, 1]"));
  refused(run(half), "activation.slope is float16; expected float32, as x");
  refused(
    () => engine.conv2d(x, w, { activation: "prelu" as never }),
    'activation "prelu" has slope undefined; expected a tensor of one slope, or of one a channel',
  );
  refused(run([0.25] as never), "activation.slope is [0.25]; expected a tensor made by engine.tensor or an operation");
  refused(
    () => engine.slopeGradient(x, { activation: "silu", preActivation: x }),
    'activation is "silu"; expected { name: "prelu", slope }: others have no slopes to learn',
  );
  refused(
    () => engine.activationGradient(x, { activation: { name: "prelu", slope: three }, output: x }),
    'activation "prelu" in a gradient needs options.preActivation, the value that it was applied to; got none',
  );
  using y = engine.activate(x, { name: "prelu", slope: three });
  expect((await y.data()).every((value) => value === 0)).toBe(true);
});
