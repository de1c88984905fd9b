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
  ])("%s", async (_, model, shape, x, resultShape, expected) => {
    const before = engine.memory().liveTensors;
    expect(await run(engine, model, shape, x)).toEqual({
      shape: resultShape,
      values: expected.every(Number.isFinite) ? close(expected) : expected,
    });
    expect(engine.memory().liveTensors).toBe(before);
  });

  test.each<[string, ModelSpec, string]>([
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
    ["Pad of channels", only("Pad", {}, [integers(1, 1), floats(0), integers(1)], 18), [1, 1, 4], "axis 1 is padded"],
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
