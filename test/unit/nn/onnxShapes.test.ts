/** ONNX's operators whose results' shapes follow from the shape of what they run on. */
import { createEngine } from "webgpu-conv";
import { afterAll, describe, expect, test } from "vitest";
import { close, floats, integers, only, run, upTo } from "../../support/io/loadOnnx.js";
import type { ModelSpec } from "../../support/io/onnxFile.js";
import { sliced, ones, SQUARES, resized, aspect } from "../../support/io/onnxShapes.js";

const engine = await createEngine({ backend: "cpu" });
afterAll(() => {
  engine.dispose();
});

type Row = readonly [string, ModelSpec, readonly number[], readonly number[], readonly number[], readonly number[]];

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
