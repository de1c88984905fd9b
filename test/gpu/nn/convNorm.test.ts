/** A convolution and the norm behind it: what is folded has the values of one after the other, and what cannot be is not. */
import type { Engine, Tensor } from "webgpu-conv";
import {
  add,
  batchNorm,
  convNorm,
  defineModule,
  disposeModule,
  explainNetwork,
  layers,
  type Module,
  Random,
  setTraining,
  Tape,
} from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { Random as Reals, reals } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { makeFloat64Engine } from "../../support/nn/float64Engine.js";

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const tensorOf = (
  engine: Engine,
  shape: readonly number[],
  seed = 1,
  dtype: "float32" | "float16" = "float32",
): Tensor => engine.tensor(reals(new Reals(seed), size(shape)), shape, { dtype });

interface Pair {
  readonly conv: Module;
  readonly norm: Module;
}

type MakePair = (init: layers.Init) => Pair;

/** Parameters and statistics of a norm that has learned, in evaluation. */
async function makePair(engine: Engine, make: MakePair, dtype: "float32" | "float16" = "float32"): Promise<Pair> {
  const pair = make({ engine, random: new Random(3), dtype });
  const values = new Reals(4);
  const { weight, bias } = pair.norm.parameters;
  const { running_mean: mean, running_var: variance } = pair.norm.buffers;
  for (const tensor of [weight, bias, mean]) await engine.write(tensor, reals(values, tensor.size));
  await engine.write(
    variance,
    reals(values, variance.size).map((value) => 1.5 + value),
  );
  setTraining(pair.conv, false);
  setTraining(pair.norm, false);
  return pair;
}

const disposePair = ({ conv, norm }: Pair): void => [conv, norm].forEach(disposeModule);

const pairOf =
  (make: (init: layers.Init) => Module, channels: number, options: layers.BatchNormLayerOptions = {}): MakePair =>
  (init) => ({ conv: make(init), norm: layers.batchNorm(init, channels, options) });

interface Case {
  readonly make: MakePair;
  readonly x: readonly number[];
  /** Products of a sum. */
  readonly terms: number;
}

const CASES: Readonly<Record<string, Case>> = {
  "3x3, padded": {
    make: pairOf((init) => layers.conv2d(init, 3, 4, { kernel: 3, padding: 1 }), 4),
    x: [2, 3, 5, 6],
    terms: 27,
  },
  "with groups, without a bias": {
    make: pairOf((init) => layers.conv2d(init, 4, 6, { kernel: [3, 2], groups: 2, stride: 2, bias: false }), 6),
    x: [2, 4, 7, 6],
    terms: 12,
  },
  "depthwise, dilated, circular": {
    make: pairOf(
      (init) => layers.conv2d(init, 4, 4, { kernel: 3, groups: 4, dilation: 2, padding: 2, paddingMode: "circular" }),
      4,
      { eps: 0.25 },
    ),
    x: [1, 4, 6, 7],
    terms: 9,
  },
  "1D, channels last": {
    make: pairOf((init) => layers.conv1d(init, 3, 5, { kernel: 2, layout: "channels-last" }), 5, {
      layout: "channels-last",
    }),
    x: [2, 7, 3],
    terms: 6,
  },
  "3D": { make: pairOf((init) => layers.conv3d(init, 2, 3, { kernel: 2 }), 3), x: [1, 2, 3, 4, 3], terms: 16 },
  "transposed, with groups": {
    make: pairOf(
      (init) => layers.convTranspose2d(init, 4, 6, { kernel: 3, stride: 2, groups: 2, outputPadding: 1 }),
      6,
    ),
    x: [2, 4, 3, 3],
    terms: 18,
  },
};

/** In float64: values of a pair with a residual and relu, and the sums of their terms' magnitudes. */
async function exactly(pair: Pair, x: Tensor, residual: Tensor, make: MakePair) {
  const { engine, ...exact64 } = makeFloat64Engine();
  const tensor: typeof exact64.tensor = (...given) => exact64.tensor(...given);
  const values = (of: Tensor): Float64Array => exact64.values(of);
  const copy = make({ engine, random: new Random(1) });
  const of = async (source: Tensor, change = (value: number) => value): Promise<Float64Array> =>
    Float64Array.from(await source.data(), change);
  const fill = async (change?: (value: number) => number): Promise<void> => {
    for (const [name, source] of Object.entries(pair.conv.parameters))
      values(copy.conv.parameters[name]).set(await of(source, change));
  };
  await fill();
  for (const kind of ["parameters", "buffers"] as const)
    for (const [name, source] of Object.entries(pair.norm[kind])) values(copy.norm[kind][name]).set(await of(source));
  setTraining(copy.norm, false);
  const exact = tensor(await of(x), x.shape);
  const normed = copy.norm.forward(copy.conv.forward(exact));
  const skip = await of(residual);
  const expected = values(normed).map((value, i) => Math.max(0, value + skip[i]));
  // |factor| * (sum of |products| + |bias| + |mean|) + |norm's bias| + |residual|
  await fill(Math.abs);
  const { weight, bias } = copy.norm.parameters;
  const { running_mean: mean } = copy.norm.buffers;
  for (const one of [weight, bias]) values(one).set(values(one).map(Math.abs));
  values(mean).set(values(mean).map((value) => -Math.abs(value)));
  const magnitudes = copy.norm.forward(copy.conv.forward(tensor(await of(x, Math.abs), x.shape)));
  const bounds = values(magnitudes).map((value, i) => value + Math.abs(skip[i]));
  engine.dispose();
  return { expected, bounds };
}

function expectWithin(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bounds: ArrayLike<number>,
  roundings: number,
): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const isClose = Math.abs(actual[i] - expected[i]) <= roundings * bounds[i];
    if (!isClose)
      expect.fail(
        `element ${String(i)} is ${String(actual[i])}; expected ${String(expected[i])} within ${String(roundings * bounds[i])}`,
      );
  }
}

describe("convNorm, in evaluation", () => {
  for (const [name, { make, x: shape, terms }] of Object.entries(CASES)) {
    gpuTest(`is one pass with the values of float64: ${name}`, async ({ bare: engine }) => {
      const pair = await makePair(engine, make);
      using x = tensorOf(engine, shape);
      using plain = pair.conv.forward(x);
      using residual = tensorOf(engine, plain.shape, 2);
      using actual = convNorm(pair.conv, pair.norm, x, { residual, activation: "relu" });
      const { expected, bounds } = await exactly(pair, x, residual, make);
      // A rounding of 2^-24 for each term, and 16 more: 8 of the factor (inverseSqrt is within 2 units in the last place) and of what it
      // multiplies, the rest of bias, mean and residual.
      expectWithin(await actual.data(), expected, bounds, (terms + 16) * 2 ** -24);
      const net = defineModule({
        kind: "pair",
        children: { ...pair },
        forward: (given) => convNorm(pair.conv, pair.norm, given, { activation: "relu" }),
      });
      const explained = explainNetwork(net, shape);
      expect(explained.layers.map(({ path, fusedInto }) => [path, fusedInto])).toEqual([
        ["conv", undefined],
        ["norm", "conv"],
      ]);
      disposePair(pair);
    });
  }

  gpuTest("in float16", async ({ bare: engine }) => {
    const { make, x: shape } = CASES["3x3, padded"];
    const pair = await makePair(engine, make, "float16");
    using x = tensorOf(engine, shape, 1, "float16");
    using plain = pair.conv.forward(x);
    using residual = tensorOf(engine, plain.shape, 2, "float16");
    using actual = convNorm(pair.conv, pair.norm, x, { residual, activation: "relu" });
    expect(actual.dtype).toBe("float16");
    const { expected, bounds } = await exactly(pair, x, residual, make);
    // Folded weight, folded bias and result are rounded to 11 bits; sums of 27 products are not.
    expectWithin(await actual.data(), expected, bounds, 2 * 2 ** -11 + 43 * 2 ** -24);
    disposePair(pair);
  });

  gpuTest("is not folded where that would be something else", async ({ bare: engine }) => {
    const conv = { kernel: 3, padding: 1 } as const;
    const kinds: Readonly<Record<string, MakePair>> = {
      "an activation between": pairOf((init) => layers.conv2d(init, 2, 4, { ...conv, activation: "relu" }), 4),
      "a norm of groups": (init) => ({ conv: layers.conv2d(init, 2, 4, conv), norm: layers.groupNorm(init, 2, 4) }),
      "no convolution": (init) => ({ conv: layers.relu(), norm: layers.batchNorm(init, 2) }),
    };
    using x = tensorOf(engine, [2, 2, 4, 4]);
    for (const [kind, make] of Object.entries(kinds)) {
      const pair = make({ engine, random: new Random(1) });
      setTraining(pair.norm, false);
      using between = pair.conv.forward(x);
      using normed = pair.norm.forward(between);
      using residual = tensorOf(engine, normed.shape, 2);
      using expected = add(normed, residual, { activation: "tanh" });
      using actual = convNorm(pair.conv, pair.norm, x, { residual, activation: "tanh" });
      expect(await actual.data(), kind).toEqual(await expected.data());
      disposePair(pair);
    }
    // Its own activation comes before the residual.
    const pair = await makePair(
      engine,
      pairOf((init) => layers.conv2d(init, 2, 4, conv), 4, { activation: "relu" }),
    );
    using folded = convNorm(pair.conv, pair.norm, x);
    using residual = tensorOf(engine, folded.shape, 2);
    using expected = add(folded, residual, { activation: "tanh" });
    using actual = convNorm(pair.conv, pair.norm, x, { residual, activation: "tanh" });
    expect(await actual.data()).toEqual(await expected.data());
    // One sample without N: the norm sees its channels as samples.
    using one = tensorOf(engine, [2, 3, 4]);
    expect(() => convNorm(pair.conv, pair.norm, one)).toThrow(/expected \[3\]/);
    expect(() => convNorm(pair.conv, pair.norm, x, { residua: x } as never)).toThrow(/did you mean residual/);
    disposePair(pair);
    const narrow = await makePair(
      engine,
      pairOf((init) => layers.conv2d(init, 2, 4, conv), 3),
    );
    expect(() => convNorm(narrow.conv, narrow.norm, x)).toThrow(/expected \[4\]/);
    disposePair(narrow);
    const plain = await makePair(
      engine,
      pairOf((init) => layers.conv2d(init, 2, 4, conv), 4),
    );
    expect(() => convNorm(plain.conv, plain.norm, x, { residual: x })).toThrow(/residual has shape \[2, 2, 4, 4\]/);
    disposePair(plain);
  });
});

gpuTest("in training, and on a tape, the norm normalises, and adds the residual itself", async ({ bare: engine }) => {
  const pair = await makePair(engine, CASES["3x3, padded"].make);
  using x = tensorOf(engine, [2, 3, 5, 6]);
  using residual = tensorOf(engine, [2, 4, 5, 6], 2);
  const { weight, bias } = pair.norm.parameters;
  const { running_mean: runningMean, running_var: runningVar } = pair.norm.buffers;
  const parameters = { weight, bias, w: pair.conv.parameters.weight };
  for (const training of [false, true]) {
    setTraining(pair.norm, training);
    const passes: (() => Tensor)[] = [
      () => convNorm(pair.conv, pair.norm, x, { residual, activation: "relu" }),
      () => {
        const statistics = training ? { training } : { runningMean, runningVar };
        return batchNorm(pair.conv.forward(x), { weight, bias, ...statistics, residual, activation: "relu" });
      },
    ];
    const [actual, expected] = passes.map((pass) => {
      using tape = new Tape(engine);
      const y = tape.run(pass);
      using upstream = tensorOf(engine, y.shape, 5);
      return { y, ...tape.gradients(y, parameters, { upstream }) };
    });
    for (const [name, tensor] of Object.entries(expected)) {
      expect(await actual[name as "y"].data(), name).toEqual(await tensor.data());
      for (const one of [tensor, actual[name as "y"]]) one.dispose();
    }
  }
  disposePair(pair);
});

describe("layers one after the other", () => {
  gpuTest("share passes", async ({ bare: engine }) => {
    const pair = await makePair(engine, CASES["3x3, padded"].make);
    const init = { engine, random: new Random(1) };
    const net = layers.sequential({
      conv1: pair.conv,
      bn1: pair.norm,
      relu1: layers.relu(),
      conv2: layers.conv2d(init, 4, 4, { kernel: 1 }),
      act2: layers.activation("tanh"),
      norm3: layers.groupNorm(init, 2, 4),
      relu3: layers.relu(),
      pool: layers.globalPool(),
      fc: layers.linear(init, 4, 3),
      relu4: layers.relu(),
      relu5: layers.relu(),
    });
    const explained = explainNetwork(net, [2, 3, 5, 6]);
    const fused = explained.layers.flatMap(({ path, fusedInto }) =>
      fusedInto === undefined ? [] : [[path, fusedInto]],
    );
    expect(fused).toEqual([
      ["bn1", "conv1"],
      ["relu1", "conv1"],
      ["act2", "conv2"],
      ["relu3", "norm3"],
      ["relu4", "fc"],
    ]);
    expect(explained.layers.map(({ path }) => path)).toEqual(Object.keys(net.children));
    expect(explained.weights).toBe(4 * 27 + 4 + 8 + 20 + 8 + 15);
    const text = explained.toString();
    expect(text).toMatch(/bn1 +batchNorm, in conv1 +2 x 4 x 5 x 6 +8 +0 +3 x 3 +0\n/);
    using x = tensorOf(engine, [2, 3, 5, 6]);
    using actual = net.forward(x);
    let expected = convNorm(pair.conv, pair.norm, x);
    for (const layer of Object.values(net.children).slice(2)) {
      const before = expected;
      expected = layer.forward(before);
      before.dispose();
    }
    expect(await actual.data()).toEqual(await expected.data());
    expected.dispose();
    setTraining(net, true);
    expect(explainNetwork(net, [2, 3, 5, 6]).layers.filter(({ fusedInto }) => fusedInto === "conv1")).toEqual([]);
    disposeModule(net);
  });
});
