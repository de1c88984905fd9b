/** Networks from files with no more code than they need: the bits of those that `loadModel` makes; errors. */
import { ArgumentError } from "webgpu-conv";
import { type Graph, readLayersModel, readOnnx } from "webgpu-conv/io";
import { disposeModule, loadModel } from "webgpu-conv/nn";
import { openModel } from "webgpu-conv/nn/page";
import { describe, expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";
import { KerasModel, randomVolume, shardsOf, textBytes } from "../../support/io/kerasModel.js";
import { upload } from "../../support/io/loadKeras.js";
import { floats, integers, only } from "../../support/io/loadOnnx.js";
import { onnxFile } from "../../support/io/onnxFile.js";
import { wrong } from "../../support/wrong.js";

const NORM = { gamma: [3], beta: [3], moving_mean: [3], moving_variance: [3] };

/** Of each kind of operations a network, and one of all of them. */
const LAYERS: Readonly<Record<string, (keras: KerasModel, x: string) => KerasModel>> = {
  norms: (keras, x) => keras.add("BatchNormalization", "norm", [x], { axis: [3] }, NORM),
  pooling: (keras, x) => keras.add("MaxPooling2D", "pool", [x], { pool_size: [2, 2] }),
  "pooling of all positions": (keras, x) =>
    keras.add("GlobalAveragePooling2D", "means", [x], { keepdims: true }).add("Add", "plus", [x, "means"]),
  resizing: (keras, x) => keras.add("UpSampling2D", "up", [x], { size: [2, 2] }),
  joining: (keras, x) => keras.add("Concatenate", "both", [x, x]),
  arithmetic: (keras, x) => keras.add("Multiply", "square", [x, x]),
  rearranging: (keras, x) =>
    keras.add("ZeroPadding2D", "padded", [x], { padding: [1, 2] }).add("Softmax", "soft", ["padded"]),
  "sums in a convolution's pass": (keras, x) =>
    keras.add("Conv2D", "c", [x], {}, { kernel: [1, 1, 3, 3], bias: [3] }).add("Add", "residual", ["c", x]),
};

const graphOf = async (keras: KerasModel): Promise<Graph> => {
  const { name } = keras.layers[keras.layers.length - 1];
  return await readLayersModel(textBytes(keras.json([name])), shardsOf(keras.bytes()));
};

describe("openModel", () => {
  gpuTest.for(Object.keys(LAYERS))("gives the bits of loadModel: %s", async (kind, { bare: engine }) => {
    const graph = await graphOf(LAYERS[kind](new KerasModel(31), "in"));
    const [opened, loaded] = [await openModel(engine, graph), loadModel(engine, graph)];
    const volume = randomVolume(32, 5, 7, 3);
    using x = upload(engine, volume);
    using actual = opened.forward(x);
    using expected = loaded.forward(x);
    expect(actual.shape).toEqual(expected.shape);
    expect(await actual.data()).toEqual(await expected.data());
    const pass = await opened.compile([1, 5, 7, 3]);
    const [result] = Object.values(await pass.run({ in: Float32Array.from(volume.values) }));
    expect(await result.data()).toEqual(await expected.data());
    pass.dispose();
    disposeModule(opened);
    disposeModule(loaded);
  });

  gpuTest("gives the bits of loadModel: resizing of named axes", async ({ bare: engine }) => {
    const scales = { shape: [1], data: [2] };
    const graph = await readOnnx(onnxFile(only("Resize", { mode: "linear", axes: [3] }, [floats(), scales], 18)));
    const [opened, loaded] = [await openModel(engine, graph), loadModel(engine, graph)];
    using x = engine.tensor(
      Float32Array.from({ length: 35 }, (_, i) => i * i),
      [1, 1, 5, 7],
    );
    using actual = opened.forward(x);
    using expected = loaded.forward(x);
    expect(actual.shape).toEqual([1, 1, 5, 14]);
    expect(await actual.data()).toEqual(await expected.data());
    disposeModule(opened);
    disposeModule(loaded);
  });

  gpuTest("gives the bits of loadModel: means over axes", async ({ bare: engine }) => {
    for (const axes of [[1], [2, 3], [3]]) {
      const graph = await readOnnx(onnxFile(only("ReduceMean", { axes })));
      const [opened, loaded] = [await openModel(engine, graph), loadModel(engine, graph)];
      using x = engine.tensor(
        Float32Array.from({ length: 1200 }, (_, i) => (i % 37) - 18),
        [2, 6, 10, 10],
      );
      using actual = opened.forward(x);
      using expected = loaded.forward(x);
      expect(actual.shape).toEqual([2, 6, 10, 10].map((extent, axis) => (axes.includes(axis) ? 1 : extent)));
      expect(await actual.data()).toEqual(await expected.data());
      disposeModule(opened);
      disposeModule(loaded);
    }
  });

  gpuTest("reads networks of ONNX, too, and takes the options of loadModel", async ({ bare: engine }) => {
    const graph = await readOnnx(onnxFile(only("Slice", {}, [integers(1), integers(3), integers(1)])));
    const model = await openModel(engine, graph, { dtype: "float16" });
    using x = engine.tensor([1, 2, 3], [1, 3, 1], { dtype: "float16" });
    using y = model.forward(x);
    expect([...(await y.data())]).toEqual([2, 3]);
    await expect(openModel(engine, graph, wrong({ fold: true }))).rejects.toThrow("unknown option fold");
    await expect(openModel(engine, graph, { foldNorms: wrong(1) })).rejects.toThrow(ArgumentError);
    await expect(openModel(wrong({}), graph)).rejects.toThrow("expected one that createEngine of webgpu-conv made");
    disposeModule(model);
  });
});
