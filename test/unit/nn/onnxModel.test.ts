/** Networks from ONNX files: what becomes one pass, and ONNX's own tests of convolutions, as files. */
import { createEngine } from "webgpu-conv";
import { readOnnx } from "webgpu-conv/io";
import { disposeModule, explainNetwork, loadModel, modulesOf } from "webgpu-conv/nn";
import { afterAll, describe, expect, test } from "vitest";
import { parseCases, withCorpus } from "../../support/corpora.js";
import { Random, reals } from "../../support/data.js";
import { close, floats, load, only, run } from "../../support/io/loadOnnx.js";
import {
  type AttributeValue,
  type ModelSpec,
  type NodeSpec,
  onnxFile,
  type TensorSpec,
} from "../../support/io/onnxFile.js";

const engine = await createEngine({ backend: "cpu" });
afterAll(() => {
  engine.dispose();
});

/** A convolution, and an affine function of it, which a hard-swish follows as exporters write it. */
const HARD_SWISH: ModelSpec = {
  inputs: { x: ["N", 3, "H", "W"] },
  outputs: ["y"],
  initialisers: {
    w: { shape: [4, 3, 3, 3], data: reals(new Random(1), 108) },
    factor: floats(1.5),
    offsets: { shape: [1, 4, 1, 1], data: [1, -1, 0.5, 0] },
    three: floats(3),
    zero: { shape: [], data: [0] },
    six: { shape: [], data: [6] },
  },
  nodes: [
    { op: "Conv", inputs: ["x", "w"], outputs: ["c"], attributes: { pads: [1, 1, 1, 1] } },
    { op: "Mul", inputs: ["factor", "c"], outputs: ["m"] },
    { op: "Add", inputs: ["m", "offsets"], outputs: ["a"] },
    { op: "Add", inputs: ["a", "three"], outputs: ["shifted"] },
    { op: "Clip", inputs: ["shifted", "zero", "six"], outputs: ["clipped"] },
    { op: "Mul", inputs: ["a", "clipped"], outputs: ["gated"] },
    { op: "Div", inputs: ["gated", "six"], outputs: ["y"] },
  ],
};

describe("operations that are one pass", () => {
  test("a hard-swish and an affine function, in a convolution", async () => {
    const model = await load(engine, HARD_SWISH);
    expect(modulesOf(model).map(({ module }) => module.kind)).toEqual(["model.onnx", "Conv"]);
    disposeModule(model);
    const x = reals(new Random(2), 60);
    const { values } = await run(engine, HARD_SWISH, [1, 3, 4, 5], x);
    // One after the other, each read by a result of its own.
    const outputs = HARD_SWISH.nodes.map(({ outputs: [name] }) => name);
    const apart = await load(engine, { ...HARD_SWISH, outputs });
    using input = engine.tensor(x, [1, 3, 4, 5]);
    const results = apart.run({ x: input });
    expect(modulesOf(apart)).toHaveLength(1 + HARD_SWISH.nodes.length);
    expect(values).toEqual(close(Array.from(await results.y.data())));
    const [c, y] = [await results.c.data(), await results.y.data()];
    y.forEach((value, i) => {
      const a = 1.5 * c[i] + [1, -1, 0.5, 0][Math.floor(i / 20)];
      expect(value).toBeCloseTo((a * Math.min(Math.max(a + 3, 0), 6)) / 6, 5);
    });
    for (const tensor of Object.values(results)) tensor.dispose();
    disposeModule(apart);
  });

  test("x * sigmoid(x) as silu; not where the sigmoid has another argument", async () => {
    const gated = (argument: string): ModelSpec => ({
      inputs: { x: [1, 1, 2] },
      outputs: ["y"],
      nodes: [
        { op: "Relu", inputs: ["x"], outputs: ["r"] },
        { op: "Sigmoid", inputs: [argument], outputs: ["s"] },
        { op: "Mul", inputs: ["s", "x"], outputs: ["p"] },
        { op: "Add", inputs: ["p", "r"], outputs: ["y"] },
      ],
    });
    const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
    for (const [argument, kinds] of [
      ["x", 4],
      ["r", 5],
    ] as const) {
      const model = await load(engine, gated(argument));
      expect(modulesOf(model)).toHaveLength(kinds);
      disposeModule(model);
      const { values } = await run(engine, gated(argument), [1, 1, 2], [-1, 2]);
      const gate = (value: number): number => sigmoid(argument === "x" ? value : Math.max(value, 0));
      expect(values).toEqual(close([-1, 2].map((value) => value * gate(value) + Math.max(value, 0))));
    }
  });

  test("a transposed convolution in groups with a norm", async () => {
    const model: ModelSpec = {
      inputs: { x: ["N", 4, "H", "W"] },
      outputs: ["y"],
      initialisers: {
        w: { shape: [4, 3, 2, 2], data: reals(new Random(4), 48) },
        gamma: floats(1, 2, 3, 4, 5, 6),
        beta: floats(6, 5, 4, 3, 2, 1),
        mean: floats(0.5, 0.25, 0, -0.25, -0.5, 1),
        variance: floats(1, 2, 3, 4, 5, 6),
      },
      nodes: [
        { op: "ConvTranspose", inputs: ["x", "w"], outputs: ["t"], attributes: { group: 2, strides: [2, 2] } },
        { op: "BatchNormalization", inputs: ["t", "gamma", "beta", "mean", "variance"], outputs: ["y"] },
      ],
    };
    const x = reals(new Random(5), 4 * 6);
    const graph = await readOnnx(onnxFile(model));
    const [folded, apart] = [true, false].map((foldNorms) => loadModel(engine, graph, { foldNorms }));
    expect(explainNetwork(folded, [1, 4, 2, 3]).layers).toHaveLength(1);
    using input = engine.tensor(x, [1, 4, 2, 3]);
    using one = folded.forward(input);
    using two = apart.forward(input);
    expect(one.shape).toEqual([1, 6, 4, 6]);
    expect(Array.from(await one.data())).toEqual(close(Array.from(await two.data())));
    for (const network of [folded, apart]) disposeModule(network);
  });
});

test.each([
  ["without padding it is in the filters and the bias", [0, 0], 1],
  ["with padding, which is of zeros, the sum stays", [1, 2], 2],
] as const)("two numbers, a factor and an offset, before a convolution: %s", async (_, pads, layers) => {
  const random = new Random(8);
  const model: ModelSpec = {
    inputs: { x: ["N", 4, "W"] },
    outputs: ["y"],
    initialisers: {
      w: { shape: [6, 2, 3], data: reals(random, 36) },
      z: { shape: [6], data: reals(random, 6) },
      factor: floats(0.3),
      offset: floats(-0.7),
    },
    nodes: [
      { op: "Mul", inputs: ["factor", "x"], outputs: ["m"] },
      { op: "Add", inputs: ["m", "offset"], outputs: ["a"] },
      { op: "Conv", inputs: ["a", "w", "z"], outputs: ["y"], attributes: { group: 2, pads: [...pads] } },
    ],
  };
  const graph = await readOnnx(onnxFile(model));
  const [folded, apart] = [true, false].map((foldNorms) => loadModel(engine, graph, { foldNorms }));
  expect(explainNetwork(folded, [2, 4, 5]).layers).toHaveLength(layers);
  expect(explainNetwork(apart, [2, 4, 5]).layers).toHaveLength(3);
  using input = engine.tensor(reals(random, 40), [2, 4, 5]);
  using one = folded.forward(input);
  using two = apart.forward(input);
  expect(Array.from(await one.data())).toEqual(close(Array.from(await two.data())));
  for (const network of [folded, apart]) disposeModule(network);
  // Another reader of the sum, the network's own result: nothing is folded.
  const shared = await load(engine, { ...model, outputs: ["a", "y"] });
  expect(modulesOf(shared)).toHaveLength(4);
  disposeModule(shared);
});

describe("an initialiser that several nodes read", () => {
  const { w, gamma, beta, mean, variance } = {
    w: { shape: [2, 2, 1, 1], data: [1, 2, -1, 0.5] },
    gamma: floats(2, 3),
    beta: floats(5, -7),
    mean: floats(0.5, 0.25),
    variance: floats(1, 2),
  };
  /** A convolution whose bias is `shared`, its norm, and another convolution, whose result the last node makes of `c` and `shared`. */
  const sharing = (shared: string, isBias: boolean, last: NodeSpec[]): ModelSpec => ({
    inputs: { x: [1, 2, 1, 2] },
    outputs: ["y"],
    initialisers: { w, v: w, gamma, beta, mean, variance, [shared]: floats(0, 0) },
    nodes: [
      { op: "Conv", inputs: ["x", "w", ...(isBias ? [shared] : [])], outputs: ["a"] },
      { op: "BatchNormalization", inputs: ["a", "gamma", "beta", "mean", "variance"], outputs: ["b"] },
      { op: "Relu", inputs: ["b"], outputs: ["r"] },
      { op: "Conv", inputs: ["r", "v"], outputs: ["c"] },
      ...last,
    ],
  });
  const norm = (...statistics: string[]): NodeSpec[] => [
    { op: "BatchNormalization", inputs: ["c", ...statistics], outputs: ["y"] },
  ];
  test.each<[string, ModelSpec, number]>([
    ["a norm's bias", sharing("z", true, norm("gamma", "z", "mean", "variance")), 2],
    ["a norm's mean", sharing("z", true, norm("gamma", "beta", "z", "variance")), 2],
    ["a bias of another convolution", sharing("z", true, [{ op: "Conv", inputs: ["c", "v", "z"], outputs: ["y"] }]), 3],
    [
      "an instance norm's",
      sharing("z", true, [{ op: "InstanceNormalization", inputs: ["c", "gamma", "z"], outputs: ["y"] }]),
      3,
    ],
    [
      "one that is called as the convolution's would be",
      sharing("w.bias", false, norm("gamma", "w.bias", "mean", "variance")),
      2,
    ],
  ])("%s: folding the convolution leaves it", async (_, model, layers) => {
    const graph = await readOnnx(onnxFile(model));
    const [folded, apart] = [true, false].map((foldNorms) => loadModel(engine, graph, { foldNorms }));
    expect(explainNetwork(folded, [1, 2, 1, 2]).layers).toHaveLength(layers);
    using x = engine.tensor([1, -2, 3, 0.5], [1, 2, 1, 2]);
    using one = folded.forward(x);
    using two = apart.forward(x);
    expect(Array.from(await one.data())).toEqual(close(Array.from(await two.data())));
    for (const network of [folded, apart]) disposeModule(network);
  });
});

test("parts that nobody reads are not computed", async () => {
  for (const unread of ["b", ""]) {
    const model = await load(engine, {
      inputs: { x: [1, 4, 2] },
      outputs: ["y"],
      initialisers: { most: { shape: [], data: [6] } },
      nodes: [
        { op: "Split", inputs: ["x"], outputs: ["a", unread], attributes: { axis: 1 } },
        { op: "Clip", inputs: ["a", "", "most"], outputs: ["c"] },
        { op: "Relu", inputs: ["c"], outputs: ["y"] },
      ],
    });
    using x = engine.tensor(Float32Array.of(-1, 2, 3, -4, 5, 6, 7, 8), [1, 4, 2]);
    const before = engine.memory().liveTensors;
    using y = model.forward(x);
    expect(Array.from(await y.data())).toEqual([0, 2, 3, 0]);
    expect(engine.memory().liveTensors).toBe(before + 1);
    expect(modulesOf(model).map(({ module }) => module.kind)).toEqual(["model.onnx", "Split", "Clip", "Relu"]);
    disposeModule(model);
  }
});

test("a constant with more axes than the result adds its own, and is not folded", async () => {
  const model: ModelSpec = {
    inputs: { x: [2, 2] },
    outputs: ["y"],
    initialisers: { w: { shape: [2, 2], data: [1, 0, 0, 1] }, c: { shape: [1, 1, 2], data: [10, 20] } },
    nodes: [
      { op: "MatMul", inputs: ["x", "w"], outputs: ["p"] },
      { op: "Add", inputs: ["p", "c"], outputs: ["y"] },
    ],
  };
  const { shape, values } = await run(engine, model, [2, 2], [1, 2, 3, 4]);
  expect(shape).toEqual([1, 2, 2]);
  expect(values).toEqual([11, 22, 13, 24]);
});

interface OnnxCase {
  readonly name: string;
  readonly op: string;
  readonly opset: number;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly X: TensorSpec;
  readonly W: TensorSpec;
  readonly B: TensorSpec | null;
  readonly Y: TensorSpec;
}

await withCorpus(
  "onnx_conv.json",
  (text) => parseCases(text) as unknown as readonly OnnxCase[],
  (cases) => {
    describe("ONNX's tests of convolutions, as files", () => {
      test.each(cases)("$name", async ({ op, opset, attributes, X, W, B, Y }) => {
        const constants = [W, ...(B ? [B] : [])].map(({ shape, data }) => ({ shape, data }));
        const model = only(op, attributes, constants, opset);
        const { shape, values } = await run(engine, model, X.shape, X.data);
        expect(shape).toEqual(Y.shape);
        const largest = Array.from(Y.data).reduce((most, value) => Math.max(most, Math.abs(value)), 1);
        // Both are sums of float32 numbers, of a few hundred terms at most.
        values.forEach((value, i) => {
          expect(Math.abs(value - Y.data[i]) / largest).toBeLessThan(1e-5);
        });
      });
    });
  },
);
