/** Networks from ONNX files: what each operator computes, what becomes one pass, and ONNX's own tests of convolutions, as files. */
import { createEngine, type Engine, type Tensor } from "webgpu-conv";
import { readOnnx } from "webgpu-conv/io";
import { disposeModule, explainNetwork, type LoadedModel, loadModel, modulesOf } from "webgpu-conv/nn";
import { afterAll, describe, expect, test } from "vitest";
import { parseCases, withCorpus } from "../../support/corpora.js";
import { Random, reals } from "../../support/data.js";
import { type AttributeValue, type ModelSpec, onnxFile, type TensorSpec } from "../../support/io/onnxFile.js";

const engine: Engine = await createEngine({ backend: "cpu" });
afterAll(() => {
  engine.dispose();
});

const load = async (model: ModelSpec): Promise<LoadedModel> => loadModel(engine, await readOnnx(onnxFile(model)));

interface Result {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

async function run(model: ModelSpec, shape: readonly number[], x: ArrayLike<number>): Promise<Result> {
  const module = await load(model);
  using input = engine.tensor(Float32Array.from(x), shape);
  using y: Tensor = module.forward(input);
  const result = { shape: y.shape, values: Array.from(await y.data()) };
  disposeModule(module);
  return result;
}

const only = (
  op: string,
  attributes: Readonly<Record<string, AttributeValue>> = {},
  constants: readonly TensorSpec[] = [],
  opset = 17,
): ModelSpec => ({
  inputs: { x: [] },
  outputs: ["y"],
  nodes: [{ op, inputs: ["x", ...constants.map((_, i) => `c${String(i)}`)], outputs: ["y"], attributes }],
  initialisers: Object.fromEntries(constants.map((constant, i) => [`c${String(i)}`, constant])),
  opset,
});

const floats = (...data: number[]): TensorSpec => ({ shape: [data.length], data });
const integers = (...data: number[]): TensorSpec => ({ shape: [data.length], data, dtype: "int64" });
const close = (values: readonly number[]): unknown[] => values.map((value) => expect.closeTo(value, 5) as unknown);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe("an operator", () => {
  test.each<[string, ModelSpec, readonly number[], readonly number[], readonly number[], readonly number[]]>([
    ["Clip", only("Clip", {}, [floats(-1), floats(2)]), [1, 1, 4], [-3, -0.5, 1, 7], [1, 1, 4], [-1, -0.5, 1, 2]],
    ["Clip of attributes", only("Clip", { min: { float: 0 } }, [], 6), [1, 1, 3], [-3, 1, 7], [1, 1, 3], [0, 1, 7]],
    ["LeakyRelu", only("LeakyRelu", { alpha: { float: 0.5 } }), [1, 1, 2], [-4, 3], [1, 1, 2], [-2, 3]],
    [
      "PRelu",
      only("PRelu", {}, [{ shape: [2, 1], data: [0.5, 0.25] }]),
      [1, 2, 2],
      [-4, 3, -4, 3],
      [1, 2, 2],
      [-2, 3, -1, 3],
    ],
    ["Elu", only("Elu", { alpha: { float: 2 } }), [1, 1, 2], [-1, 3], [1, 1, 2], [2 * Math.expm1(-1), 3]],
    ["HardSigmoid, ONNX's usual", only("HardSigmoid"), [1, 1, 3], [-9, 1, 9], [1, 1, 3], [0, 0.7, 1]],
    [
      "HardSigmoid, PyTorch's",
      only("HardSigmoid", { alpha: { float: 1 / 6 } }),
      [1, 1, 3],
      [-9, 1, 9],
      [1, 1, 3],
      [0, 2 / 3, 1],
    ],
    ["HardSwish", only("HardSwish"), [1, 1, 3], [-9, 1, 9], [1, 1, 3], [0, 2 / 3, 9]],
    ["Softplus", only("Softplus"), [1, 1, 1], [1], [1, 1, 1], [Math.log1p(Math.E)]],
    [
      "Add along the last axis",
      only("Add", {}, [floats(10, 20)]),
      [1, 2, 2],
      [1, 2, 3, 4],
      [1, 2, 2],
      [11, 22, 13, 24],
    ],
    [
      "Mul of channels",
      only("Mul", {}, [{ shape: [2, 1], data: [10, 20] }]),
      [1, 2, 2],
      [1, 2, 3, 4],
      [1, 2, 2],
      [10, 20, 60, 80],
    ],
    ["Sub of one number", only("Sub", {}, [{ shape: [], data: [1] }]), [1, 1, 2], [1, 2], [1, 1, 2], [0, 1]],
    ["Div", only("Div", {}, [floats(4)]), [1, 1, 2], [1, 2], [1, 1, 2], [0.25, 0.5]],
    [
      "MaxPool, rounded up",
      only("MaxPool", { kernel_shape: [2], strides: [2], ceil_mode: 1 }),
      [1, 1, 5],
      [1, 3, 2, 0, 7],
      [1, 1, 3],
      [3, 2, 7],
    ],
    [
      "MaxPool, dilated",
      only("MaxPool", { kernel_shape: [2], dilations: [2] }),
      [1, 1, 4],
      [9, 3, 2, 5],
      [1, 1, 2],
      [9, 5],
    ],
    [
      "AveragePool without the padding",
      only("AveragePool", { kernel_shape: [2], pads: [1, 1] }),
      [1, 1, 2],
      [2, 4],
      [1, 1, 3],
      [2, 3, 4],
    ],
    [
      "AveragePool with it",
      only("AveragePool", { kernel_shape: [2], pads: [1, 1], count_include_pad: 1 }),
      [1, 1, 2],
      [2, 4],
      [1, 1, 3],
      [1, 3, 2],
    ],
    ["GlobalAveragePool", only("GlobalAveragePool"), [1, 2, 2], [1, 3, 5, 8], [1, 2, 1], [2, 6.5]],
    ["ReduceMean", only("ReduceMean", { axes: [2, 3], keepdims: 0 }), [1, 2, 1, 2], [1, 3, 5, 8], [1, 2], [2, 6.5]],
    [
      "ReduceMean of an input",
      only("ReduceMean", {}, [integers(-1, -2)], 18),
      [1, 2, 1, 2],
      [1, 3, 5, 8],
      [1, 2, 1, 1],
      [2, 6.5],
    ],
    [
      "Resize, nearest, by a scale",
      only("Resize", { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" }, [
        floats(),
        floats(1, 1, 2),
      ]),
      [1, 1, 2],
      [1, 2],
      [1, 1, 4],
      [1, 1, 2, 2],
    ],
    [
      "Resize, linear, to a size, corners on corners",
      only("Resize", { mode: "linear", coordinate_transformation_mode: "align_corners" }, [
        floats(),
        floats(),
        integers(1, 1, 5),
      ]),
      [1, 1, 3],
      [0, 2, 4],
      [1, 1, 5],
      [0, 1, 2, 3, 4],
    ],
    [
      "DepthToSpace, DCR",
      only("DepthToSpace", { blocksize: 2 }),
      [1, 8, 1, 1],
      upTo(8),
      [1, 2, 2, 2],
      [0, 2, 4, 6, 1, 3, 5, 7],
    ],
    [
      "DepthToSpace, CRD",
      only("DepthToSpace", { blocksize: 2, mode: "CRD" }),
      [1, 8, 1, 1],
      upTo(8),
      [1, 2, 2, 2],
      upTo(8),
    ],
    [
      "Pad with a value",
      only("Pad", {}, [integers(0, 0, 1, 0, 0, 2), floats(7)]),
      [1, 1, 2],
      [1, 2],
      [1, 1, 5],
      [7, 1, 2, 7, 7],
    ],
    [
      "Pad by reflection",
      only("Pad", { mode: "reflect" }, [integers(0, 0, 2, 0, 0, 0)]),
      [1, 1, 3],
      [1, 2, 3],
      [1, 1, 5],
      [3, 2, 1, 2, 3],
    ],
    [
      "Gemm",
      only("Gemm", { transB: 1 }, [{ shape: [2, 3], data: [1, 0, 1, 0, 1, 1] }, floats(10, 20)]),
      [1, 3],
      [1, 2, 3],
      [1, 2],
      [14, 25],
    ],
    [
      "Gemm as it stands",
      only("Gemm", {}, [{ shape: [3, 2], data: [1, 0, 0, 1, 1, 1] }]),
      [1, 3],
      [1, 2, 3],
      [1, 2],
      [4, 5],
    ],
    ["MatMul", only("MatMul", {}, [{ shape: [3, 2], data: [1, 0, 0, 1, 1, 1] }]), [1, 3], [1, 2, 3], [1, 2], [4, 5]],
    ["Reshape", only("Reshape", {}, [integers(0, 2, -1)]), [2, 4], upTo(8), [2, 2, 2], upTo(8)],
    ["Flatten", only("Flatten"), [2, 2, 2], upTo(8), [2, 4], upTo(8)],
    ["Softmax", only("Softmax"), [1, 2], [0, Math.log(3)], [1, 2], [0.25, 0.75]],
    [
      "Slice from the end",
      only("Slice", {}, [integers(-2), integers(1000), integers(2)]),
      [1, 1, 4],
      upTo(4),
      [1, 1, 2],
      [2, 3],
    ],
    ["Transpose that moves nothing", only("Transpose", { perm: [0, 1, 2] }), [1, 1, 2], [1, 2], [1, 1, 2], [1, 2]],
    [
      "BatchNormalization",
      only("BatchNormalization", { epsilon: { float: 0 } }, [floats(2, 3), floats(1, 0), floats(1, 2), floats(4, 9)]),
      [1, 2, 1],
      [3, 5],
      [1, 2, 1],
      [3, 3],
    ],
    [
      "InstanceNormalization",
      only("InstanceNormalization", { epsilon: { float: 0 } }, [floats(2, 3), floats(1, 0)]),
      [1, 2, 2],
      [1, 3, 5, 9],
      [1, 2, 2],
      [-1, 3, -3, 3],
    ],
  ])("%s", async (_, model, shape, x, resultShape, expected) => {
    expect(await run(model, shape, x)).toEqual({ shape: resultShape, values: close(expected) });
  });

  test("Split, Concat and what only passes on", async () => {
    const model: ModelSpec = {
      inputs: { x: [1, 3, 2] },
      outputs: ["y"],
      initialisers: { extents: integers(1, 2) },
      nodes: [
        { op: "Split", inputs: ["x", "extents"], outputs: ["a", "b"], attributes: { axis: 1 } },
        { op: "Identity", inputs: ["a"], outputs: ["same"] },
        { op: "Dropout", inputs: ["same"], outputs: ["kept"] },
        { op: "Cast", inputs: ["kept"], outputs: ["float"], attributes: { to: 1 } },
        { op: "Concat", inputs: ["b", "float"], outputs: ["y"], attributes: { axis: 1 } },
      ],
    };
    expect(await run(model, [1, 3, 2], upTo(6))).toEqual({ shape: [1, 3, 2], values: [2, 3, 4, 5, 0, 1] });
  });
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
    const model = await load(HARD_SWISH);
    expect(modulesOf(model).map(({ module }) => module.kind)).toEqual(["model.onnx", "Conv"]);
    disposeModule(model);
    const x = reals(new Random(2), 60);
    const { values } = await run(HARD_SWISH, [1, 3, 4, 5], x);
    // One after the other, each read by a result of its own.
    const outputs = HARD_SWISH.nodes.map(({ outputs: [name] }) => name);
    const apart = await load({ ...HARD_SWISH, outputs });
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
      const model = await load(gated(argument));
      expect(modulesOf(model)).toHaveLength(kinds);
      disposeModule(model);
      const { values } = await run(gated(argument), [1, 1, 2], [-1, 2]);
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
        if ("output_shape" in attributes) {
          await expect(load(model)).rejects.toThrow("has an output_shape; expected pads and output_padding");
          return;
        }
        const { shape, values } = await run(model, X.shape, X.data);
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
