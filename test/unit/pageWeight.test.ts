/**
 * What a page transfers that convolves once, that trains a network, or that has no engine, in Chromium: the packed package,
 * bundled as an application is, minified, and each file compressed on its way. Then the same page in one file, without a bundler,
 * and where a kernel's text is late.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium } from "playwright";
import { build, type Rolldown } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumLaunchOptions } from "../support/chromium.js";
import { makeProject } from "../support/packed.js";
import { serveCompressed, type ServedCompressed } from "../support/serveCompressed.js";

/** A layer, and the largest of its results where everything is 1. */
const LAYERS = {
  "the textbook's layer": { input: [1, 3, 7, 7], weight: [2, 3, 3, 3], stride: 2, largest: 27 },
  "ResNet's 3x3": { input: [1, 64, 56, 56], weight: [64, 64, 3, 3], stride: 1, largest: 576 },
} as const;
type Layer = (typeof LAYERS)[keyof typeof LAYERS];
const TEXTBOOK = LAYERS["the textbook's layer"];

/** The bytes of script that a page may transfer to run a layer, by the entry that its engine is from. */
const MOST_BYTES = {
  "webgpu-conv": { "the textbook's layer": 92_100, "ResNet's 3x3": 97_350 },
  "webgpu-conv/forward": { "the textbook's layer": 67_550, "ResNet's 3x3": 72_800 },
} as const;
type Entry = keyof typeof MOST_BYTES;

/** Trains for two steps the network that examples/train teaches glyphs; the losses, with two decimals. */
const TRAINING = `
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
const MOST_TRAINING_BYTES = 135_800;

/**
 * Makes a picture four times larger by a network with the layers of `@upscalerjs/esrgan-slim`, as examples/upscale does: three sums of two
 * ones each. Every filter is the mean of what it reads, so that ones stay ones away from the border.
 */
const UPSCALING = `
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
/** All that a first visit loads, the texts of the kernels that it runs among it: 16 kB. By `loadModel`, which has all operations, 12 kB more. */
const MOST_UPSCALING_BYTES = 132_000;

/** Pages without an engine, and workers. */
const WITHOUT_ENGINE = {
  "a file of weights": {
    mostBytes: 5_700,
    title: "1,2",
    script: `
      import { floatTensor, floatValues, readSafetensors, writeSafetensors } from "webgpu-conv/io";
      const file = writeSafetensors([["w", floatTensor(Float32Array.of(1, 2), [2])]]);
      document.title = floatValues((await readSafetensors(file, "w.safetensors")).tensors.get("w")).join();`,
  },
  "the reference": {
    mostBytes: 8_200,
    title: "-1,-2",
    script: `
      import { forward, makeProblem } from "webgpu-conv/reference";
      document.title = forward(makeProblem(1, [1, 1, 3], [1, 1, 2]), [1, 2, 4], [1, -1]).join();`,
  },
  "batches of glyphs": {
    mostBytes: 9_300,
    title: "4,1,28,28",
    script: `
      import { DataLoader, glyphs } from "webgpu-conv/nn";
      for await (const { shape } of new DataLoader(glyphs({ count: 4 }), { batchSize: 4, seed: 1 })) {
        document.title = shape.join();
      }`,
  },
} as const;

/** Makes an engine and records a layer, all ones: `y`. */
const layerScript = ({ input, weight, stride }: Layer, entry: Entry = "webgpu-conv"): string => `
  import { createEngine, DeviceError } from "${entry}";
  const engine = await createEngine();
  const ones = (shape) => engine.tensor(new Float32Array(shape.reduce((a, b) => a * b)).fill(1), shape);
  const x = ones(${JSON.stringify(input)});
  const w = ones(${JSON.stringify(weight)});
  const run = (solver) => engine.conv2d(x, w, { stride: ${String(stride)}, padding: 1, solver });
  const y = run();
`;
const say = "document.title = String((await y.data()).reduce((a, b) => Math.max(a, b)));";

let browser: Browser;
let folder = "";
let server: ServedCompressed;
beforeAll(async () => {
  folder = await makeProject();
  browser = await chromium.launch(await chromiumLaunchOptions());
  server = await serveCompressed(folder);
});
afterAll(async () => {
  await browser.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

/** Opens the page until it has a title, which it gives, and the scripts that came, with their bytes. */
async function open(path: string): Promise<{ readonly title: string; readonly scripts: readonly [string, number][] }> {
  server.sent.clear();
  const page = await browser.newPage();
  try {
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(`${server.url}${path}`);
    await expect.poll(async () => (await page.title()) || errors.join(), { timeout: 60_000 }).not.toBe("");
    expect(errors).toEqual([]);
    return { title: await page.title(), scripts: [...server.sent].filter(([file]) => file.endsWith(".js")) };
  } finally {
    await page.close();
  }
}

/** Writes a page and bundles it; the path of what was built. */
async function bundle(name: string, script: string, output: Rolldown.OutputOptions = {}): Promise<string> {
  const root = join(folder, name);
  mkdirSync(root);
  writeFileSync(join(root, "page.js"), script);
  writeFileSync(join(root, "index.html"), '<!doctype html><script type="module" src="./page.js"></script>');
  const options = { target: "es2022", rolldownOptions: { output } };
  await build({ root, base: "./", configFile: false, logLevel: "silent", build: options });
  return `${name}/dist/index.html`;
}

/** A name for files. */
const named = (what: string, entry: Entry): string => `${what} ${entry}`.replaceAll(/\W/g, "");

describe("a page that convolves once", () => {
  describe.each(Object.keys(MOST_BYTES) as Entry[])("by %s", (entry) => {
    test.each(Object.keys(LAYERS) as (keyof typeof LAYERS)[])("%s", async (name) => {
      const layer = LAYERS[name];
      const path = await bundle(named(name, entry), layerScript(layer, entry) + say);
      const { title, scripts } = await open(path);
      const bytes = scripts.reduce((sum, [, size]) => sum + size, 0);
      console.info(`${name} by ${entry}: ${String(bytes)} bytes transferred`, Object.fromEntries(scripts));
      expect(title).toBe(String(layer.largest));
      expect(bytes).toBeGreaterThan(8192);
      expect(bytes).toBeLessThanOrEqual(MOST_BYTES[entry][name]);
    });

    test("in one file", async () => {
      const script = layerScript(TEXTBOOK, entry) + say;
      const { title, scripts } = await open(await bundle(named("one", entry), script, { codeSplitting: false }));
      expect(title).toBe("27");
      expect(scripts).toHaveLength(1);
    });

    test("without a bundler", async () => {
      const folders = { "webgpu-conv": "dist", "webgpu-conv/forward": "dist/forward" };
      const imports = { imports: { [entry]: `./node_modules/webgpu-conv/${folders[entry]}/index.js` } };
      const page = `${named("map", entry)}.html`;
      writeFileSync(
        join(folder, page),
        `<!doctype html><script type="importmap">${JSON.stringify(imports)}</script>
        <script type="module">${layerScript(TEXTBOOK, entry)}${say}</script>`,
      );
      expect((await open(page)).title).toBe("27");
    });
  });
});

describe("a page", () => {
  test("that trains a network", async () => {
    const { title, scripts } = await open(await bundle("training", TRAINING));
    const bytes = scripts.reduce((sum, [, size]) => sum + size, 0);
    console.info(`training: ${String(bytes)} bytes transferred`, Object.fromEntries(scripts));
    expect(title).toBe("2.36,2.20");
    expect(bytes).toBeLessThanOrEqual(MOST_TRAINING_BYTES);
  });

  test("that makes pictures larger by a layers model", async () => {
    const { title, scripts } = await open(await bundle("upscaling", UPSCALING));
    const bytes = scripts.reduce((sum, [, size]) => sum + size, 0);
    console.info(`upscaling: ${String(bytes)} bytes transferred`, Object.fromEntries(scripts));
    expect(title).toBe("1,256,256,3: 4.000");
    expect(bytes).toBeLessThanOrEqual(MOST_UPSCALING_BYTES);
    const names = scripts.map(([file]) => file).join();
    expect(names).toMatch(/joining-.*resizing-/);
    expect(names).not.toMatch(/norms-|pooling-|rearranging-|simplify-|compileForward-/);
  });

  test.each(Object.entries(WITHOUT_ENGINE))("with %s alone", async (name, { script, title, mostBytes }) => {
    const page = await open(await bundle(name.replaceAll(" ", ""), script));
    const bytes = page.scripts.reduce((sum, [, size]) => sum + size, 0);
    console.info(`${name}: ${String(bytes)} bytes transferred`, Object.fromEntries(page.scripts));
    expect(page.title).toBe(title);
    expect(bytes).toBeLessThanOrEqual(mostBytes);
  });
});

describe("where the text of a kernel", () => {
  test("has a formula of an activation, that comes with an operation that has one", async () => {
    const path = await bundle(
      "formulas",
      `${layerScript(TEXTBOOK, "webgpu-conv/forward")}
      await y.data();
      const activated = await engine.conv2d(x, w, { stride: 2, padding: 1, activation: "elu" }).data();
      document.title = String(Math.max(...activated));`,
    );
    const { title, scripts } = await open(path);
    expect(title).toBe("27");
    expect(scripts.filter(([file]) => file.includes("formulas-"))).toHaveLength(1);
    server.fail(/formulas-/);
    const failing = await bundle(
      "noFormulas",
      `${layerScript(TEXTBOOK, "webgpu-conv/forward")}
      const activated = engine.conv2d(x, w, { stride: 2, padding: 1, activation: "elu" });
      const error = await activated.data().catch((reason) => reason);
      document.title = [error instanceof DeviceError, error.message.split(":")[0], ...(await y.data()).slice(0, 1)].join(", ");`,
    );
    expect((await open(failing)).title).toBe("true, kernel rolling_window did not load, 12");
  });

  test("is late as what runs a network's operations may be: what opens the network fails, and the engine goes on", async () => {
    server.fail(/resizing-/);
    const path = await bundle(
      "noResizing",
      UPSCALING.replace("const network = await openModel(", "const error = await openModel(")
        .replace(".arrayBuffer()));", ".arrayBuffer())).catch((reason) => reason);")
        .replace(
          /const y = [^]*$/,
          'document.title = error.constructor.name + engine.memory().liveTensors + error.message.split(":")[0];',
        ),
    );
    const { title } = await open(path);
    expect(title).toMatch(/0what runs the network did not load$/);
  });

  test("does not come, what needs it fails, and nothing else", async () => {
    const path = await bundle(
      "lost",
      `${layerScript(TEXTBOOK)}
      const error = await y.data().catch((reason) => reason);
      await engine.finish().catch(() => undefined);
      const other = await run("direct").data();
      document.title = [error instanceof DeviceError, error.message.split(":")[0], other[0]].join(", ");`,
    );
    server.fail(/rolling_window/);
    expect((await open(path)).title).toBe("true, kernel rolling_window did not load, 12");
  });

  test("is awaited when the engine is disposed of, whoever waits is told", async () => {
    const path = await bundle(
      "held",
      `${layerScript(TEXTBOOK)}
      const waits = [y.data(), engine.finish(), engine.compile(() => run())];
      setTimeout(() => engine.dispose(), 100);
      const outcomes = await Promise.allSettled(waits);
      document.title = outcomes.map(({ reason }) => reason instanceof DeviceError).join();`,
    );
    server.hold(/rolling_window/);
    expect((await open(path)).title).toBe("true,true,true");
  });
});
