/** ONNX's operators in older versions of theirs, and where a network's axes decide what a node means. */
import { createEngine } from "webgpu-conv";
import { disposeModule, modulesOf } from "webgpu-conv/nn";
import { afterAll, describe, expect, test } from "vitest";
import { close, floats, integers, load, only, run, upTo } from "../../support/io/loadOnnx.js";
import type { ModelSpec } from "../../support/io/onnxFile.js";

const engine = await createEngine({ backend: "cpu" });
afterAll(() => {
  engine.dispose();
});

const third = Math.log(3);

describe("an operator", () => {
  test.each<[string, ModelSpec, readonly number[], readonly number[], readonly number[], readonly number[]]>([
    [
      "Softmax before version 13, over all axes from one on",
      only("Softmax", {}, [], 11),
      [1, 2, 2],
      [0, third, third, 0],
      [1, 2, 2],
      [1 / 8, 3 / 8, 3 / 8, 1 / 8],
    ],
    [
      "Softmax before version 13, from the first one on",
      only("Softmax", { axis: 0 }, [], 7),
      [2, 1],
      [0, third],
      [2, 1],
      [0.25, 0.75],
    ],
    [
      "Softmax since, over one",
      only("Softmax", { axis: 1 }, [], 13),
      [1, 2, 2],
      [0, third, third, 0],
      [1, 2, 2],
      [1 / 4, 3 / 4, 3 / 4, 1 / 4],
    ],
    ["Clip without bounds", only("Clip"), [1, 1, 3], [-9, 1, 9], [1, 1, 3], [-9, 1, 9]],
    [
      "Slice of attributes",
      only("Slice", { starts: [1, -2], ends: [2, 2 ** 31 - 1], axes: [1, 2] }, [], 9),
      [1, 2, 3],
      upTo(6),
      [1, 1, 2],
      [4, 5],
    ],
    [
      "ReduceMean over one axis of positions",
      only("ReduceMean", { axes: [-1] }),
      [1, 2, 2],
      [1, 3, 5, 8],
      [1, 2, 1],
      [2, 6.5],
    ],
    [
      "ReduceMean over three",
      only("ReduceMean", { axes: [4, 2, 3], keepdims: 0 }),
      [1, 2, 1, 2, 1],
      [1, 3, 5, 8],
      [1, 2],
      [2, 6.5],
    ],
    [
      "Resize of version 10, to more",
      only("Resize", { mode: "nearest" }, [floats(1, 1, 1.5)], 10),
      [1, 1, 4],
      upTo(4),
      [1, 1, 6],
      [0, 0, 1, 2, 2, 3],
    ],
    [
      "Resize of version 10, to less",
      only("Resize", { mode: "nearest" }, [floats(1, 1, 0.75)], 10),
      [1, 1, 4],
      upTo(4),
      [1, 1, 3],
      [0, 2, 3],
    ],
    [
      "Resize of version 10, linear",
      only("Resize", { mode: "linear" }, [floats(1, 1, 2)], 10),
      [1, 1, 2],
      [0, 1],
      [1, 1, 4],
      [0, 0.5, 1, 1],
    ],
    [
      "Gemm with factors and one number",
      only("Gemm", { alpha: { float: 2 }, beta: { float: 3 } }, [
        { shape: [2, 2], data: [1, 0, 0, 1] },
        { shape: [], data: [10] },
      ]),
      [1, 2],
      [1, 2],
      [1, 2],
      [32, 34],
    ],
  ])("%s", async (_, model, shape, x, resultShape, expected) => {
    expect(await run(engine, model, shape, x)).toEqual({ shape: resultShape, values: close(expected) });
  });

  test.each<[string, ModelSpec, string]>([
    [
      "Resize of version 10 to more and less",
      only("Resize", { mode: "nearest" }, [floats(1, 1, 2, 0.5)], 10),
      "has scales [1, 1, 2, 0.5] in version 10; expected all below 1, or none",
    ],
    [
      "Dropout in training",
      only("Dropout", {}, [floats(0.5), { shape: [], data: [1] }]),
      "has training_mode true; expected false",
    ],
    [
      "Slice of fewer ends",
      only("Slice", {}, [integers(0, 0), integers(1)]),
      "has starts [0, 0] and ends [1]; expected as many of both",
    ],
    [
      "Gemm with a C of each sample",
      only("Gemm", {}, [
        { shape: [2, 2], data: upTo(4) },
        { shape: [2, 2], data: upTo(4) },
      ]),
      "has C of shape [2, 2]; expected [2], or one number: the same of each sample",
    ],
  ])("is refused: %s", async (_, model, message) => {
    await expect(load(engine, model)).rejects.toThrow(message);
  });

  test.each<[string, ModelSpec, readonly number[], string]>([
    // ONNX aligns them at the last axis, which is none of channels here.
    ["PRelu", only("PRelu", {}, [floats(0.5, 0.25)]), [1, 2, 2], "expected 2 axes"],
  ])("is refused with other axes than its file is for: %s", async (_, model, shape, message) => {
    const x = upTo(shape.reduce((a, b) => a * b));
    await expect(run(engine, model, shape, x)).rejects.toThrow(message);
  });
});

test("Split into equal parts, by version", async () => {
  for (const [opset, attributes, extents] of [
    [11, {}, [2, 2]],
    [18, { num_outputs: 2 }, [3, 2]],
  ] as const) {
    const extent = extents[0] + extents[1];
    const model: ModelSpec = {
      inputs: { x: [1, 1, extent] },
      outputs: ["y"],
      nodes: [
        { op: "Split", inputs: ["x"], outputs: ["a", "b"], attributes: { axis: 2, ...attributes } },
        { op: "Concat", inputs: ["b", "a"], outputs: ["y"], attributes: { axis: 2 } },
      ],
      opset,
    };
    const expected = [...upTo(extent).slice(extents[0]), ...upTo(extents[0])];
    expect((await run(engine, model, [1, 1, extent], upTo(extent))).values).toEqual(expected);
  }
});

test("a constant of which nodes make different weights is one for each", async () => {
  const model: ModelSpec = {
    inputs: { x: [1, 2] },
    outputs: ["y"],
    initialisers: { w: { shape: [2, 2], data: [1, 2, 3, 4] } },
    nodes: [
      { op: "Gemm", inputs: ["x", "w"], outputs: ["a"] },
      { op: "Gemm", inputs: ["a", "w"], outputs: ["b"], attributes: { transB: 1 } },
      { op: "Gemm", inputs: ["b", "w"], outputs: ["y"] },
    ],
  };
  // [1, 1] by columns is [4, 6], that by rows [16, 36], and by columns again [124, 176].
  expect((await run(engine, model, [1, 2], [1, 1])).values).toEqual([124, 176]);
});

test("a norm of channels is not folded into a product along the last axis; behind a matrix's it is", async () => {
  const norm = { gamma: floats(2, 3), beta: floats(0, 0), mean: floats(0, 0), variance: floats(1, 1) };
  const model = (op: string): ModelSpec => ({
    inputs: { x: [] },
    outputs: ["y"],
    initialisers: { w: { shape: [2, 2], data: [1, 0, 0, 1] }, ...norm },
    nodes: [
      { op, inputs: ["x", "w"], outputs: ["m"] },
      {
        op: "BatchNormalization",
        inputs: ["m", "gamma", "beta", "mean", "variance"],
        outputs: ["y"],
        attributes: { epsilon: { float: 0 } },
      },
    ],
  });
  const { values } = await run(engine, model("MatMul"), [1, 2, 2], [1, 1, 1, 1]);
  expect(values).toEqual([2, 2, 3, 3]);
  expect((await run(engine, model("Gemm"), [2, 2], [1, 1, 1, 1])).values).toEqual([2, 3, 2, 3]);
  const folded = await load(engine, model("Gemm"));
  expect(modulesOf(folded)).toHaveLength(2);
  disposeModule(folded);
});

test("a result that is only passed on has its name", async () => {
  const model: ModelSpec = {
    inputs: { x: [1, 1, 2] },
    outputs: ["copy", "r", "same"],
    nodes: [
      { op: "Identity", inputs: ["x"], outputs: ["copy"] },
      { op: "Relu", inputs: ["x"], outputs: ["r"] },
      { op: "Dropout", inputs: ["r"], outputs: ["same"] },
    ],
  };
  const module = await load(engine, model);
  using x = engine.tensor([-1, 2], [1, 1, 2]);
  const results = module.run({ x });
  expect(Object.keys(results)).toEqual(["copy", "r", "same"]);
  const values = await Promise.all(Object.values(results).map(async (tensor) => [...(await tensor.data())]));
  expect(values).toEqual([
    [-1, 2],
    [0, 2],
    [0, 2],
  ]);
  for (const tensor of Object.values(results)) tensor.dispose();
  expect([...(await x.data())]).toEqual([-1, 2]);
  disposeModule(module);
});
