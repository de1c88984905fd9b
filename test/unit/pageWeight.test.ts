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
import { TRAINING, UPSCALING } from "../support/networkPages.js";
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
  "webgpu-conv": { "the textbook's layer": 92_150, "ResNet's 3x3": 97_400 },
  "webgpu-conv/forward": { "the textbook's layer": 67_600, "ResNet's 3x3": 72_850 },
} as const;
type Entry = keyof typeof MOST_BYTES;

const MOST_TRAINING_BYTES = 135_850;

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
