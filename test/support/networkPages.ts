/** Scripts of pages that train or run a network. Their documents' titles say what came of it. */

/** Trains for two steps the network that examples/train teaches glyphs; the losses, with two decimals. */
export const TRAINING = `
  import { createEngine } from "webgpu-conv";
  import { adam, compileTraining, crossEntropy, layers, parametersOf, Random } from "webgpu-conv/nn";
  const engine = await createEngine();
  const init = { engine, random: new Random(1) };
  const conv = { kernel: 3, padding: 1, activation: "relu" };
  const network = layers.sequential({
    conv1: layers.conv2d(init, 1, 12, conv),
    pool1: layers.maxPool({ kernel: 2 }),
    conv2: layers.conv2d(init, 12, 24, conv),
    pool2: layers.maxPool({ kernel: 2 }),
    flatten: layers.flatten(),
    fc: layers.linear(init, 24 * 7 * 7, 10),
  });
  const parameters = parametersOf(network);
  const losses = [];
  const step = await compileTraining(engine, {
    inputs: { x: [8, 1, 28, 28], labels: [8] },
    compute: ({ x, labels }) => crossEntropy(network.forward(x), labels),
    parameters,
    optimizer: adam(engine, parameters, { lr: 1e-3 }),
    onMetrics: ({ loss }) => losses.push(loss.toFixed(2)),
  });
  for (let i = 0; i < 2; i++) await step.run({ x: new Float32Array(8 * 28 * 28).fill(1), labels: new Float32Array(8) });
  await step.finish();
  document.title = losses.join();
`;

/**
 * Makes a picture four times larger by a network with the layers of `@upscalerjs/esrgan-slim`, as examples/upscale does: three sums of two
 * ones each. Every filter is the mean of what it reads, so that ones stay ones away from the border.
 */
export const UPSCALING = `
  import { createEngine } from "webgpu-conv";
  import { readLayersModel } from "webgpu-conv/io";
  import { openModel } from "webgpu-conv/nn/page";
  const layers = [
    { class_name: "InputLayer", config: { name: "x", batch_input_shape: [null, null, null, 3] }, inbound_nodes: [] },
  ];
  const weights = [];
  const bytes = [];
  const layer = (class_name, config, ...inputs) => {
    const name = class_name + layers.length;
    layers.push({ class_name, name, config: { name, ...config }, inbound_nodes: [inputs.map((one) => [one, 0, 0, {}])] });
    return name;
  };
  const conv = (x, taps, channels, filters) => {
    const name = layer("Conv2D", { filters, kernel_size: [taps, taps], padding: "same", strides: [1, 1] }, x);
    const fanIn = taps * taps * channels;
    weights.push({ name: name + "/kernel", shape: [taps, taps, channels, filters], dtype: "float32" });
    weights.push({ name: name + "/bias", shape: [filters], dtype: "float32" });
    bytes.push(new Float32Array(fanIn * filters).fill(1 / fanIn), new Float32Array(filters));
    return name;
  };
  const relu = (x) => layer("Activation", { activation: "relu" }, x);
  layers[0].name = "x";
  const first = conv("x", 3, 3, 64);
  const entry = conv(first, 3, 64, 64);
  const block = (x) => {
    const grown = layer("Concatenate", { axis: 3 }, x, relu(conv(x, 3, 64, 4)));
    return layer("Add", {}, conv(grown, 1, 68, 64), x);
  };
  const one = block(entry);
  const two = block(one);
  const fused = conv(conv(layer("Concatenate", { axis: 3 }, one, two), 1, 128, 64), 3, 64, 64);
  const dense = layer("Add", {}, fused, first);
  const narrow = conv(relu(conv(relu(conv(dense, 5, 64, 64)), 3, 64, 32)), 3, 32, 48);
  const large = layer("UpSampling2D", { size: [4, 4], interpolation: "nearest" }, narrow);
  const result = conv(large, 3, 48, 3);
  const json = new TextEncoder().encode(JSON.stringify({
    modelTopology: {
      model_config: {
        class_name: "Functional",
        config: { layers, input_layers: [["x", 0, 0]], output_layers: [[result, 0, 0]] },
      },
    },
    weightsManifest: [{ paths: ["weights.bin"], weights }],
  }));
  const engine = await createEngine();
  const network = await openModel(engine, await readLayersModel(json, async () => await new Blob(bytes).arrayBuffer()));
  const y = network.forward(engine.tensor(new Float32Array(64 * 64 * 3).fill(1), [1, 64, 64, 3]));
  const values = await y.data();
  document.title = y.shape.join() + ": " + values[(128 * 256 + 128) * 3].toFixed(3);
`;
