/** ONNX's operators that are refused: when they are read, or when they run on what does not fit. */
import { createEngine } from "webgpu-conv";
import { disposeModule } from "webgpu-conv/nn";
import { afterAll, describe, expect, test } from "vitest";
import { floats, integers, load, only, upTo } from "../../support/io/loadOnnx.js";
import type { ModelSpec } from "../../support/io/onnxFile.js";
import { sliced, NEAREST, resized, aspect } from "../../support/io/onnxShapes.js";

const engine = await createEngine({ backend: "cpu" });
afterAll(() => {
  engine.dispose();
});

describe("an operator", () => {
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
