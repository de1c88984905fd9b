/** What each of ONNX's operators computes. */
import { createEngine } from "webgpu-conv";
import { afterAll, describe, expect, test } from "vitest";
import { close, floats, integers, only, run, upTo } from "../../support/io/loadOnnx.js";
import type { ModelSpec } from "../../support/io/onnxFile.js";

const engine = await createEngine({ backend: "cpu" });
afterAll(() => {
  engine.dispose();
});

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
      // In float64 the product of 10 and the float32 next to 0.7 is below 7. Expected values are ONNX Runtime's.
      "Resize, linear, by a scale that makes an integer in float32 alone",
      only("Resize", { mode: "linear" }, [floats(), floats(1, 1, 0.7)]),
      [1, 1, 10],
      [0, 1, 4, 9, 16, 25, 36, 49, 64, 81],
      [1, 1, 7],
      [3 / 14, 41 / 14, 9.5, 20.5, 493 / 14, 761 / 14, 1083 / 14],
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
    expect(await run(engine, model, shape, x)).toEqual({ shape: resultShape, values: close(expected) });
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
    expect(await run(engine, model, [1, 3, 2], upTo(6))).toEqual({ shape: [1, 3, 2], values: [2, 3, 4, 5, 0, 1] });
  });
});
