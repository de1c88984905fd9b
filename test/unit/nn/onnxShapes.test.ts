/** ONNX's operators whose results' shapes follow from the shape of what they run on. */
import { createEngine } from "webgpu-conv";
import { disposeModule } from "webgpu-conv/nn";
import { afterAll, describe, expect, test } from "vitest";
import { close, floats, integers, load, only, run, upTo } from "../../support/io/loadOnnx.js";
import type { ModelSpec, TensorSpec } from "../../support/io/onnxFile.js";

const engine = await createEngine({ backend: "cpu" });
afterAll(() => {
  engine.dispose();
});

type Row = readonly [string, ModelSpec, readonly number[], readonly number[], readonly number[], readonly number[]];

const sliced = (start: number, end: number, axis: number, step: number): ModelSpec =>
  only("Slice", {}, [integers(start), integers(end), integers(axis), integers(step)]);
const ones = (axes: number, value: number): TensorSpec => ({ shape: new Array<number>(axes).fill(1), data: [value] });

const SQUARES = (count: number): number[] => upTo(count).map((i) => i * i - 3);
const NEAREST = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" } as const;
const resized = (attributes: ModelSpec["nodes"][number]["attributes"], scales: TensorSpec): ModelSpec =>
  only("Resize", { ...NEAREST, ...attributes }, [floats(), scales], 18);
/** Rows and columns. */
const aspect = (policy: string, ...sizes: readonly number[]): ModelSpec =>
  only(
    "Resize",
    { ...NEAREST, axes: [2, 3], keep_aspect_ratio_policy: policy },
    [floats(), floats(), integers(...sizes)],
    18,
  );

describe("an operator", () => {
  test.each<Row>([
    ["Slice, every third", sliced(1, 7, 2, 3), [1, 1, 7], upTo(7), [1, 1, 2], [1, 4]],
    ["Slice, every second channel", sliced(0, 1000, 1, 2), [1, 3, 2], upTo(6), [1, 2, 2], [0, 1, 4, 5]],
    ["Slice, backwards through all", sliced(-1, -(2 ** 31), -1, -1), [1, 2, 3], upTo(6), [1, 2, 3], [2, 1, 0, 5, 4, 3]],
    ["Slice, backwards to the second last", sliced(1000, -4, 2, -2), [1, 1, 5], upTo(5), [1, 1, 2], [4, 2]],
    ["Slice, backwards with an end", sliced(3, 0, 2, -1), [1, 1, 5], upTo(5), [1, 1, 3], [3, 2, 1]],
    ["Slice of one sample, backwards", sliced(0, -1000, 0, -4), [3, 1, 2], upTo(6), [1, 1, 2], [0, 1]],
    [
      "Slice of what is not finite",
      sliced(0, 1000, 2, 2),
      [1, 1, 5],
      [NaN, 1, -Infinity, 1, Infinity],
      [1, 1, 3],
      [NaN, -Infinity, Infinity],
    ],
    [
      "Pad of one axis",
      only("Pad", {}, [integers(1, 2), floats(7), integers(-1)], 18),
      [1, 1, 2, 2],
      upTo(4),
      [1, 1, 2, 5],
      [7, 0, 1, 7, 7, 7, 2, 3, 7, 7],
    ],
    [
      "Pad that crops",
      only("Pad", { mode: "edge" }, [integers(0, 0, -1, 0, 0, 1)]),
      [1, 1, 3],
      upTo(3),
      [1, 1, 3],
      [1, 2, 2],
    ],
    ["Transpose", only("Transpose", { perm: [0, 2, 1] }), [1, 2, 3], upTo(6), [1, 3, 2], [0, 3, 1, 4, 2, 5]],
    ["Transpose without an order", only("Transpose"), [2, 1, 3], upTo(6), [3, 1, 2], [0, 3, 1, 4, 2, 5]],
    ["Add of one element with more axes", only("Add", {}, [ones(4, 1)]), [1, 1, 2], [1, 2], [1, 1, 1, 2], [2, 3]],
    ["Mul of one element with fewer", only("Mul", {}, [ones(2, 3)]), [1, 1, 2], [1, 2], [1, 1, 2], [3, 6]],
    [
      "ConvTranspose to an extent, the odd one before",
      only("ConvTranspose", { output_shape: [4], strides: [2] }, [{ shape: [1, 1, 3], data: [1, 10, 100] }]),
      [1, 1, 2],
      [1, 2],
      [1, 1, 4],
      [10, 102, 20, 200],
    ],
    [
      "ConvTranspose to an extent, the odd one behind",
      only("ConvTranspose", { output_shape: [1, 1, 4], strides: [2], auto_pad: "SAME_UPPER" }, [
        { shape: [1, 1, 3], data: [1, 10, 100] },
      ]),
      [1, 1, 2],
      [1, 2],
      [1, 1, 4],
      [1, 10, 102, 20],
    ],
    // ONNX Runtime's results of i * i - 3; those that keep the aspect by hand.
    [
      "Resize of one axis",
      resized({ axes: [-1] }, floats(2)),
      [1, 1, 2, 2],
      SQUARES(4),
      [1, 1, 2, 4],
      [-3, -3, -2, -2, 1, 1, 6, 6],
    ],
    [
      "Resize of axes that stay, too",
      only("Resize", { mode: "linear", axes: [1, 3] }, [floats(), floats(), integers(2, 4)], 18),
      [1, 2, 1, 2],
      SQUARES(4),
      [1, 2, 1, 4],
      [-3, -2.75, -2.25, -2, 1, 2.25, 4.75, 6],
    ],
    [
      "Resize that keeps the aspect, by the least scale",
      aspect("not_larger", 4, 9),
      [1, 1, 2, 2],
      SQUARES(4),
      [1, 1, 4, 4],
      [-3, -3, -2, -2, -3, -3, -2, -2, 1, 1, 6, 6, 1, 1, 6, 6],
    ],
    [
      "Resize that keeps the aspect, by the largest",
      aspect("not_smaller", 1, 4),
      [1, 1, 1, 2],
      SQUARES(2),
      [1, 1, 2, 4],
      [-3, -3, -2, -2, -3, -3, -2, -2],
    ],
    [
      "Gemm of a transposed value",
      only("Gemm", { transA: 1, alpha: { float: 2 } }, [{ shape: [2, 2], data: [1, 2, 3, 4] }, floats(1, -1)]),
      [2, 3],
      SQUARES(6),
      [3, 2],
      [31, 35, 75, 95, 135, 179],
    ],
    [
      "MatMul of one matrix with more axes",
      only("MatMul", {}, [{ shape: [1, 1, 3, 1], data: [1, 10, 100] }]),
      [2, 3],
      SQUARES(6),
      [1, 1, 2, 1],
      [77, 2336],
    ],
    [
      "Pad of samples and positions",
      only("Pad", { mode: "reflect" }, [integers(1, 0, 1, 0, 1, 0)]),
      [2, 2, 2],
      SQUARES(8),
      [3, 3, 3],
      [22, 13, 22, 46, 33, 46, 22, 13, 22, -2, -3, -2, 6, 1, 6, -2, -3, -2, 22, 13, 22, 46, 33, 46, 22, 13, 22],
    ],
    ["Pad of a matrix", only("Pad", {}, [integers(-1, 1, 0, 0), floats(7)]), [2, 2], SQUARES(4), [1, 3], [7, 1, 6]],
    ["Pad of nothing", only("Pad", {}, [integers(0, 0, 0, 0)]), [1, 2], [1, 2], [1, 2], [1, 2]],
    [
      "Pad of channels",
      only("Pad", {}, [integers(1, 1), floats(0), integers(1)], 18),
      [1, 1, 2],
      [1, 2],
      [1, 3, 2],
      [0, 0, 1, 2, 0, 0],
    ],
    [
      "ReduceMean of channels",
      only("ReduceMean", { axes: [1], keepdims: 0 }),
      [1, 2, 3],
      SQUARES(6),
      [1, 3],
      [1.5, 5.5, 11.5],
    ],
    [
      "ReduceMean of some positions",
      only("ReduceMean", { axes: [2] }),
      [1, 1, 2, 2],
      SQUARES(4),
      [1, 1, 1, 2],
      [-1, 2],
    ],
    ["ReduceMean of all", only("ReduceMean"), [1, 2, 3], SQUARES(6), [1, 1, 1], [37 / 6]],
    ["ReduceMean of none", only("ReduceMean", { noop_with_empty_axes: 1 }, [], 18), [1, 2], [1, 2], [1, 2], [1, 2]],
    ["Flatten at 0", only("Flatten", { axis: 0 }), [2, 3], upTo(6), [1, 6], upTo(6)],
    ["Flatten at the last axis", only("Flatten", { axis: -1 }), [1, 2, 3], upTo(6), [2, 3], upTo(6)],
    ["Flatten behind all", only("Flatten", { axis: 2 }), [2, 3], upTo(6), [6, 1], upTo(6)],
    [
      "Reshape that keeps extents",
      only("Reshape", {}, [integers(0, 0, -1)]),
      [2, 3, 1, 2],
      upTo(12),
      [2, 3, 2],
      upTo(12),
    ],
  ])("%s", async (_, model, shape, x, resultShape, expected) => {
    const before = engine.memory().liveTensors;
    expect(await run(engine, model, shape, x)).toEqual({
      shape: resultShape,
      values: expected.every(Number.isFinite) ? close(expected) : expected,
    });
    expect(engine.memory().liveTensors).toBe(before);
  });

  test.each<[string, ModelSpec, string]>([
    [
      "Resize of axes with other scales",
      resized({ axes: [2] }, floats(1, 2)),
      "has axes [2] for [1, 2]; expected as many of both",
    ],
    [
      "Resize by another policy",
      aspect("larger", 1, 1),
      'has keep_aspect_ratio_policy "larger"; expected one of stretch, not_larger, not_smaller',
    ],
    [
      "AveragePool, dilated",
      only("AveragePool", { kernel_shape: [2], dilations: [2] }, [], 19),
      "has dilations [2]; expected 1",
    ],
    [
      "MatMul of several matrices",
      only("MatMul", {}, [{ shape: [2, 1, 1], data: [1, 2] }]),
      "has matrices of shape [2, 1, 1]; expected one matrix",
    ],
    [
      "Gemm of more axes",
      only("Gemm", {}, [{ shape: [1, 1, 1], data: [1] }]),
      "has a matrix of shape [1, 1, 1]; expected two axes",
    ],
    [
      "Reshape to nothing",
      only("Reshape", { allowzero: 1 }, [integers(1, 0)]),
      "has shape [1, 0] and allowzero 1; expected",
    ],
    ["Reshape to two unknown extents", only("Reshape", {}, [integers(0, -1, -1)]), "has shape [0, -1, -1]; expected"],
    ["Slice with a step of 0", sliced(0, 1, 2, 0), "has steps [0]; expected 1, none of them 0"],
    [
      "Transpose of an axis twice",
      only("Transpose", { perm: [0, 1, 1] }),
      "has perm [0, 1, 1]; expected each axis once",
    ],
    [
      "ConvTranspose to other extents",
      only("ConvTranspose", { output_shape: [4, 4, 4, 4] }, [{ shape: [1, 1, 3], data: [1, 2, 3] }]),
      "has output_shape [4, 4, 4, 4]; expected 1 extents, one a position's axis",
    ],
  ])("is refused: %s", async (_, model, message) => {
    await expect(load(engine, model)).rejects.toThrow(message);
  });

  test.each<[string, ModelSpec, readonly number[], string]>([
    ["Slice of nothing, backwards", sliced(0, 3, 2, -1), [1, 1, 4], "start and end are 4 and 1"],
    [
      "Pad of an axis that is not there",
      only("Pad", {}, [integers(1, 1), floats(0), integers(3)], 18),
      [1, 1, 4],
      "axis 3 is padded",
    ],
    [
      "Resize of channels",
      resized({ axes: [1] }, floats(2)),
      [1, 1, 4],
      "axis 1 is resized; expected axes of positions",
    ],
    [
      "Resize of other axes",
      resized({ axes: [4] }, floats(2)),
      [1, 1, 4],
      "axis 4 is resized; expected axes of positions",
    ],
    [
      "Resize that keeps the aspect, rounded up",
      aspect("not_larger", 2, 9),
      [1, 1, 4, 1],
      "in layer y: keep_aspect_ratio_policy makes [2, 0.5] of [4, 1], which is rounded up; expected whole extents",
    ],
    [
      "Resize that keeps the aspect of samples and channels",
      only(
        "Resize",
        { ...NEAREST, keep_aspect_ratio_policy: "not_smaller" },
        [floats(), floats(), integers(1, 1, 8)],
        18,
      ),
      [1, 1, 4],
      "keep_aspect_ratio_policy resizes samples and channels 2 times, too; expected axes of positions alone",
    ],
    [
      "Reshape that keeps an extent that is not there",
      only("Reshape", {}, [integers(0, 0, 0, -1)]),
      [1, 4],
      "expected more than 2 axes, for an extent of 0",
    ],
    [
      "Flatten behind an axis that is not there",
      only("Flatten", { axis: 3 }),
      [1, 4],
      "expected at least 3 axes, to be flattened at 3",
    ],
    [
      "ReduceMean of an axis that is not there",
      only("ReduceMean", { axes: [3] }),
      [1, 1, 4],
      "axes is [3]; expected different integers",
    ],
    ["Transpose of other axes", only("Transpose", { perm: [0, 2, 1] }), [1, 1, 1, 4], "expected 3 axes"],
  ])("is refused when it runs: %s", async (_, spec, shape, message) => {
    const model = await load(engine, spec);
    using x = engine.tensor(upTo(4), shape);
    const before = engine.memory().liveTensors;
    expect(() => model.forward(x)).toThrow(message);
    expect(engine.memory().liveTensors).toBe(before);
    disposeModule(model);
  });
});

/** A convolution's result and constants of one element: `[N, C, W]`, and one axis more. */
test("a number with more axes than a convolution's result is not folded into it", async () => {
  const spec = (axes: number): ModelSpec => ({
    inputs: { x: [1, 1, 2] },
    outputs: ["y"],
    initialisers: { w: { shape: [1, 1, 1], data: [2] }, c: ones(axes, 1) },
    nodes: [
      { op: "Conv", inputs: ["x", "w"], outputs: ["p"] },
      { op: "Add", inputs: ["p", "c"], outputs: ["y"] },
    ],
  });
  expect(await run(engine, spec(3), [1, 1, 2], [1, 2])).toEqual({ shape: [1, 1, 2], values: [3, 5] });
  expect(await run(engine, spec(4), [1, 1, 2], [1, 2])).toEqual({ shape: [1, 1, 1, 2], values: [3, 5] });
});

/** Transposes one after the other, with what reads the value between. */
const transposed = (orders: readonly (readonly number[] | undefined)[], outputs: readonly string[]): ModelSpec => ({
  inputs: { x: [] },
  outputs,
  nodes: [
    ...orders.map((perm, i) => ({
      op: "Transpose",
      inputs: [i === 0 ? "x" : `t${String(i - 1)}`],
      outputs: [`t${String(i)}`],
      attributes: perm ? { perm } : {},
    })),
    { op: "Relu", inputs: [`t${String(orders.length - 1)}`], outputs: ["y"] },
  ],
});

describe("Transposes one after the other", () => {
  test.each<[string, (readonly number[] | undefined)[], string[], readonly number[], readonly number[]]>([
    [
      "that cancel are none",
      [
        [0, 2, 1],
        [0, 2, 1],
      ],
      ["Relu"],
      [1, 2, 3],
      upTo(6),
    ],
    ["the other way round twice are none", [undefined, undefined], ["Relu"], [1, 2, 3], upTo(6)],
    ["the other way round, and by that order, are none", [undefined, [2, 1, 0]], ["Relu"], [1, 2, 3], upTo(6)],
    [
      "are one",
      [
        [1, 2, 0],
        [2, 0, 1],
        [0, 2, 1],
      ],
      ["Transpose", "Relu"],
      [1, 3, 2],
      [0, 3, 1, 4, 2, 5],
    ],
    [
      "that turn in a circle are none",
      [
        [1, 2, 0],
        [1, 2, 0],
        [1, 2, 0],
      ],
      ["Relu"],
      [1, 2, 3],
      upTo(6),
    ],
    [
      "that do not cancel are one",
      [
        [1, 2, 0],
        [1, 2, 0],
      ],
      ["Transpose", "Relu"],
      [3, 1, 2],
      [0, 3, 1, 4, 2, 5],
    ],
  ])("%s", async (_, orders, kinds, shape, values) => {
    const model = await load(engine, transposed(orders, ["y"]));
    expect(Object.values(model.children).map(({ kind }) => kind)).toEqual(kinds);
    using x = engine.tensor(upTo(6), [1, 2, 3]);
    using y = model.forward(x);
    expect([y.shape, [...(await y.data())]]).toEqual([shape, values]);
    disposeModule(model);
  });

  test("whose values are results keep these", async () => {
    const swap = [0, 2, 1];
    const model = await load(engine, transposed([swap, swap], ["t0", "t1", "y"]));
    using x = engine.tensor(upTo(6), [1, 2, 3]);
    const before = engine.memory().liveTensors;
    const results = model.run({ x });
    expect(Object.entries(results).map(([name, { shape }]) => [name, ...shape])).toEqual([
      ["t0", 1, 3, 2],
      ["t1", 1, 2, 3],
      ["y", 1, 2, 3],
    ]);
    expect([...(await results.t0.data())]).toEqual([0, 3, 1, 4, 2, 5]);
    expect([...(await results.t1.data())]).toEqual(upTo(6));
    for (const tensor of Object.values(results)) tensor.dispose();
    expect(engine.memory().liveTensors).toBe(before);
    disposeModule(model);
  });
});
