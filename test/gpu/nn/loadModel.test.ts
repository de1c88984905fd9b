/** Networks from files of TensorFlow.js: what is fused; training; errors. */
import { readLayersModel, readLayersStructure } from "webgpu-conv/io";
import {
  disposeModule,
  explainNetwork,
  loadModel,
  mean,
  parametersOf,
  setTraining,
  sgd,
  stateOf,
  Tape,
} from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { brokenEngine } from "../../support/brokenEngine.js";
import { gpuTest } from "../../support/gpuTest.js";
import {
  added,
  conv2d,
  KerasModel,
  mapped,
  randomVolume,
  shardsOf,
  textBytes,
  type Volume,
} from "../../support/io/kerasModel.js";
import { expectClose, expectRuns, load, relu, upload, withBias } from "../../support/io/loadKeras.js";

/** A residual block with norms, whose second convolution is read once. */
const block = (): KerasModel =>
  new KerasModel(11)
    .add("Conv2D", "first", ["in"], { padding: "same", use_bias: false }, { kernel: [3, 3, 3, 8] })
    .add("BatchNormalization", "norm", ["first"], { axis: [3], epsilon: 1e-3 }, NORM)
    .add("Activation", "act", ["norm"], { activation: "relu" })
    .add("Conv2D", "second", ["act"], { padding: "same" }, { kernel: [3, 3, 8, 8], bias: [8] })
    .add("Add", "sum", ["act", "second"])
    .add("Activation", "out", ["sum"], { activation: "relu" });
const NORM = { gamma: [8], beta: [8], moving_mean: [8], moving_variance: [8] };

function blockOf(keras: KerasModel, x: Volume): Volume {
  const [gamma, beta, mean, variance] = Object.keys(NORM).map((name) => keras.weight(`norm/${name}`));
  const norm = mapped(conv2d(x, keras.weight("first/kernel"), { kernel: [3, 3] }, 8), (value, c) => {
    return ((value - mean[c]) / Math.sqrt(variance[c] + 1e-3)) * gamma[c] + beta[c];
  });
  const act = relu(norm);
  const second = withBias(
    conv2d(act, keras.weight("second/kernel"), { kernel: [3, 3] }, 8),
    keras.weight("second/bias"),
  );
  return relu(added(act, second));
}

describe("a network", () => {
  gpuTest(
    "runs a norm, a sum and activations in two passes, or with norms of their own; any size",
    async ({ bare: engine }) => {
      for (const [foldNorms, passes] of [
        [true, 2],
        [false, 3],
      ] as const) {
        const keras = block();
        const model = await load(engine, keras, ["out"], { foldNorms });
        const { layers } = explainNetwork(model, [1, 6, 7, 3]);
        expect(layers.flatMap(({ operations }) => operations)).toHaveLength(passes);
        for (const [height, width] of [
          [6, 7],
          [11, 5],
          [1, 1],
        ]) {
          const x = randomVolume(12, height, width, 3);
          using input = upload(engine, x);
          using y = model.forward(input);
          expectClose(await y.data(), blockOf(keras, x));
        }
        expect(Object.keys(stateOf(model))).toContain("second.weight");
        disposeModule(model);
      }
    },
  );

  gpuTest("finds its kernels compiled by its structure, which needs no weights", async ({ engine: shared }) => {
    const keras = block();
    using broken = await brokenEngine(shared, (code) => code);
    const { engine, compiled } = broken;
    const structure = await readLayersStructure(textBytes(keras.json(["out"])));
    const early = loadModel(engine, structure);
    (await early.compile([1, 9, 7, 3])).dispose();
    disposeModule(early);
    expect(engine.memory().liveTensors).toBe(0);
    const before = compiled.length;
    expect(before).toBeGreaterThan(0);
    const model = await load(engine, keras, ["out"]);
    const pass = await model.compile([1, 9, 7, 3]);
    const x = randomVolume(12, 9, 7, 3);
    const { out } = await pass.run({ in: x.values });
    expectClose(await out.data(), blockOf(keras, x));
    expect(compiled.length).toBe(before);
  });

  gpuTest("adds of another shape than the result's are not part of the pass", async ({ bare: engine }) => {
    const x = randomVolume(13, 4, 5, 3);
    const keras = new KerasModel(14)
      .add("GlobalAveragePooling2D", "means", ["in"], { keepdims: true })
      .add("Conv2D", "c", ["in"], {}, { kernel: [1, 1, 3, 3], bias: [3] })
      .add("Add", "sum", ["means", "c"]);
    const c = withBias(conv2d(x, keras.weight("c/kernel"), { kernel: [1, 1] }, 3), keras.weight("c/bias"));
    const means = [0, 1, 2].map((at) => x.values.reduce((sum, value, i) => (i % 3 === at ? sum + value : sum), 0) / 20);
    await expectRuns(engine, keras, "sum", x, withBias(c, means));
  });

  gpuTest("layers that are called twice share their weights; several results", async ({ bare: engine }) => {
    const keras = new KerasModel(15, [null, null, null, 4]).add(
      "Conv2D",
      "c",
      ["in"],
      { padding: "same" },
      { kernel: [3, 3, 4, 4], bias: [4] },
    );
    const [c] = keras.layers.splice(1);
    keras.layers.push({ ...c, inbound_nodes: [[["in", 0, 0, {}]], [["c", 0, 0, {}]]] });
    keras.add("Add", "sum", ["in", "c"]);
    const json = keras.json(["sum"]);
    const config = (json.modelTopology as { model_config: { config: Record<string, unknown> } }).model_config.config;
    config.output_layers = [
      ["sum", 0, 0],
      ["c", 1, 0],
    ];
    const model = loadModel(engine, await readLayersModel(textBytes(json), shardsOf(keras.bytes())));
    const x = randomVolume(16, 5, 5, 4);
    const convolve = (volume: Volume): Volume =>
      withBias(conv2d(volume, keras.weight("c/kernel"), { kernel: [3, 3] }, 4), keras.weight("c/bias"));
    using input = upload(engine, x);
    const results = model.run({ in: input });
    expect(Object.keys(results)).toEqual(["sum", "c:1"]);
    expectClose(await results.sum.data(), added(x, convolve(x)));
    expectClose(await results["c:1"].data(), convolve(convolve(x)));
    for (const tensor of Object.values(results)) tensor.dispose();
    expect(Object.keys(parametersOf(model))).toEqual(["c.weight", "c.bias"]);
    expect(() => model.forward(input)).toThrow(
      'has the inputs ["in"] and the outputs ["sum", "c:1"]; expected one of each',
    );
    disposeModule(model);
  });

  gpuTest(
    "is trained: its loss falls; norms by the batch's statistics where they were kept",
    async ({ bare: engine }) => {
      const model = await load(engine, block(), ["out"], { foldNorms: false });
      setTraining(model, true);
      const optimizer = sgd(engine, parametersOf(model), { lr: 0.05 });
      using input = upload(engine, randomVolume(17, 6, 6, 3));
      const losses: number[] = [];
      for (let step = 0; step < 4; step++) {
        using tape = new Tape(engine);
        using loss = tape.run(() => mean(model.forward(input)));
        const gradients = tape.gradients(loss, parametersOf(model));
        optimizer.step(gradients);
        for (const gradient of Object.values(gradients)) gradient.dispose();
        losses.push((await loss.data())[0]);
      }
      for (const [step, loss] of losses.slice(1).entries()) expect(loss).toBeLessThan(losses[step]);
      optimizer.dispose();
      disposeModule(model);
    },
  );

  gpuTest("in float16", async ({ bare: engine }) => {
    const keras = block();
    const model = await load(engine, keras, ["out"], { dtype: "float16" });
    const x = randomVolume(18, 6, 6, 3);
    using input = engine.tensor(Float32Array.from(x.values), [1, 6, 6, 3], { dtype: "float16" });
    using y = model.forward(input);
    const expected = blockOf(keras, x).values;
    const actual = await y.data();
    const largest = Math.max(...expected);
    // Two layers of 27 and 72 products of numbers with 11 bits.
    expect(Math.max(...expected.map((value, at) => Math.abs(value - actual[at]))) / largest).toBeLessThan(5e-3);
    disposeModule(model);
  });

  gpuTest("refuses other inputs, and goes on; leaves nothing behind", async ({ bare: engine }) => {
    const keras = block();
    const model = await load(engine, keras, ["out"]);
    const before = engine.memory();
    using wrong = engine.tensor(new Float32Array(32), [1, 4, 4, 2]);
    using flat = engine.tensor(new Float32Array(48), [1, 48]);
    expect(() => model.forward(wrong)).toThrow('input "in" has shape [1, 4, 4, 2]; expected [any, any, any, 3]');
    expect(() => model.forward(flat)).toThrow('input "in" has shape [1, 48]');
    expect(() => model.run({})).toThrow('inputs has []; expected ["in"]');
    expect(() => model.run({ in: wrong, other: wrong })).toThrow('inputs has ["in", "other"]; expected ["in"]');
    const x = randomVolume(19, 4, 4, 3);
    using input = upload(engine, x);
    using y = model.forward(input);
    expectClose(await y.data(), blockOf(keras, x));
    // Those of this test: two inputs, one that fits, and the result.
    expect(engine.memory().liveTensors).toBe(before.liveTensors + 4);
    disposeModule(model);
  });

  gpuTest("a layer in its middle that does not fit leaves nothing behind", async ({ bare: engine }) => {
    const keras = new KerasModel(20)
      .add("Conv2D", "c", ["in"], {}, { kernel: [1, 1, 3, 3], bias: [3] })
      .add("Conv2D", "d", ["c"], {}, { kernel: [5, 5, 3, 3], bias: [3] });
    keras.add("Concatenate", "both", ["c", "d"]);
    const model = await load(engine, keras, ["both"]);
    using input = engine.tensor(new Float32Array(48), [1, 4, 4, 3]);
    const { liveTensors } = engine.memory();
    expect(() => model.forward(input)).toThrow("in layer d: the output would be empty along height");
    expect(() => model.children.both.forward(input)).toThrow('in layer both: there is no value "d" yet');
    expect(engine.memory().liveTensors).toBe(liveTensors);
    disposeModule(model);
  });
});
