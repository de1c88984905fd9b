/** Layers from files of TensorFlow.js: what they compute, by TensorFlow's rules. */
import { disposeModule } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";
import {
  added,
  concatenated,
  conv2d,
  depthwise2d,
  KerasModel,
  mapped,
  pool2d,
  randomVolume,
  repeated,
  transposed2d,
} from "../../support/io/kerasModel.js";
import { expectRuns, load, relu, upload, withBias } from "../../support/io/loadKeras.js";

describe("layers", () => {
  gpuTest("convolutions, each kind of padding, stride and dilation, in groups", async ({ bare: engine }) => {
    const x = randomVolume(1, 9, 8, 6);
    for (const { stride, dilation, same, groups } of [
      { stride: 1, dilation: 1, same: true, groups: 1 },
      { stride: 2, dilation: 1, same: true, groups: 2 },
      { stride: 3, dilation: 1, same: false, groups: 1 },
      { stride: 1, dilation: 2, same: true, groups: 3 },
    ]) {
      const keras = new KerasModel(2, [null, null, null, 6]).add(
        "Conv2D",
        "c",
        ["in"],
        {
          strides: [stride, stride],
          dilation_rate: [dilation, dilation],
          padding: same ? "same" : "valid",
          groups,
          activation: "relu",
        },
        { kernel: [3, 2, 6 / groups, 12], bias: [12] },
      );
      const y = conv2d(x, keras.weight("c/kernel"), { kernel: [3, 2], stride, dilation, same }, 12, groups);
      await expectRuns(engine, keras, "c", x, relu(withBias(y, keras.weight("c/bias"))));
    }
  });

  gpuTest("depthwise and separable ones", async ({ bare: engine }) => {
    const x = randomVolume(3, 7, 10, 5);
    const keras = new KerasModel(4, [null, null, null, 5])
      .add(
        "DepthwiseConv2D",
        "d",
        ["in"],
        { strides: [2, 2], padding: "same", depth_multiplier: 2, use_bias: false },
        { depthwise_kernel: [3, 3, 5, 2] },
      )
      .add(
        "SeparableConv2D",
        "s",
        ["d"],
        { padding: "valid", activation: "tanh" },
        { depthwise_kernel: [2, 2, 10, 1], pointwise_kernel: [1, 1, 10, 4], bias: [4] },
      );
    const d = depthwise2d(x, keras.weight("d/depthwise_kernel"), { kernel: [3, 3], stride: 2 }, 2);
    const within = depthwise2d(d, keras.weight("s/depthwise_kernel"), { kernel: [2, 2], same: false }, 1);
    const s = conv2d(within, keras.weight("s/pointwise_kernel"), { kernel: [1, 1] }, 4);
    await expectRuns(engine, keras, "s", x, mapped(withBias(s, keras.weight("s/bias")), Math.tanh));
  });

  gpuTest(
    "transposed ones, whose filters are larger, as large and smaller than the stride",
    async ({ bare: engine }) => {
      const x = randomVolume(5, 4, 5, 3);
      for (const [kernel, stride, same] of [
        [3, 1, true],
        [3, 2, true],
        [4, 2, true],
        [2, 2, true],
        [1, 3, true],
        [3, 2, false],
        [1, 2, false],
      ] as const) {
        const config = { kernel_size: [kernel, kernel], strides: [stride, stride], padding: same ? "same" : "valid" };
        const weights = { kernel: [kernel, kernel, 4, 3], bias: [4] };
        const keras = new KerasModel(6).add("Conv2DTranspose", "t", ["in"], config, weights);
        const y = transposed2d(x, keras.weight("t/kernel"), { kernel: [kernel, kernel], stride, same }, 4);
        await expectRuns(engine, keras, "t", x, withBias(y, keras.weight("t/bias")));
      }
    },
  );

  gpuTest("pooling, padding, cropping, repeating, concatenating, adding, activations", async ({ bare: engine }) => {
    const x = randomVolume(7, 9, 7, 3);
    const windows = { pool_size: [3, 3], strides: [2, 2], padding: "same" };
    const filters = { kernel: [3, 3] as const, stride: 2 };
    const keras = new KerasModel(8)
      .add("MaxPooling2D", "max", ["in"], windows)
      .add("AveragePooling2D", "mean", ["in"], windows)
      .add("Concatenate", "both", ["max", "mean"], { axis: -1 })
      .add("LeakyReLU", "leaky", ["both"], { alpha: 0.25 })
      .add("ReLU", "low", ["both"], { max_value: 0.5 })
      .add("Dropout", "gone", ["low"], { rate: 0.5 })
      .add("Add", "sum", ["leaky", "gone", "both"])
      .add("UpSampling2D", "large", ["sum"], { size: [2, 2], interpolation: "nearest" })
      .add("ZeroPadding2D", "padded", ["large"], {
        padding: [
          [1, 2],
          [0, 3],
        ],
      })
      .add("Cropping2D", "cropped", ["padded"], {
        cropping: [
          [1, 2],
          [0, 3],
        ],
      });
    const both = concatenated([pool2d(x, filters, "max"), pool2d(x, filters, "average")]);
    const leaky = mapped(both, (value) => (value > 0 ? value : 0.25 * value));
    const low = mapped(both, (value) => Math.min(Math.max(value, 0), 0.5));
    await expectRuns(engine, keras, "cropped", x, repeated(added(added(leaky, low), both), 2));
  });

  gpuTest("a classifier: global pooling, a linear layer, softmax", async ({ bare: engine }) => {
    const x = randomVolume(9, 5, 6, 3);
    const keras = new KerasModel(10)
      .add("GlobalAveragePooling2D", "means", ["in"])
      .add("Dense", "classes", ["means"], { activation: "softmax" }, { kernel: [3, 4], bias: [4] });
    const model = await load(engine, keras, ["classes"]);
    using input = upload(engine, x);
    using y = model.forward(input);
    const sums = [0, 1, 2].map((c) => x.values.reduce((sum, value, at) => (at % 3 === c ? sum + value : sum), 0) / 30);
    const logits = [0, 1, 2, 3].map((out) => {
      const kernel = keras.weight("classes/kernel");
      return sums.reduce((sum, value, c) => sum + value * kernel[c * 4 + out], keras.weight("classes/bias")[out]);
    });
    const whole = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    expect(y.shape).toEqual([1, 4]);
    expect(Array.from(await y.data())).toEqual(
      logits.map((logit) => expect.closeTo(Math.exp(logit) / whole, 6) as number),
    );
    disposeModule(model);
  });
});
