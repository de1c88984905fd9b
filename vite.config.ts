import { resolve } from "node:path";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { inFilesOf, inFewFiles, library, namespaceFile } from "./build/library.js";
import { folderByFolder } from "./build/moduleOrder.js";
import { pureModules } from "./build/pureModules.js";
import { wgsl } from "./build/wgslPlugin.js";
import { FLOAT16_VARIABLE } from "./test/run/commandLine.js";
import { launchOptions } from "./test/support/chromium.js";
import { FIREFOX_VARIABLE } from "./test/support/firefox/browser.js";
import { firefox } from "./test/support/firefox/provider.js";

const root = import.meta.dirname;

/** What `openModel` loads by need, each with what it loads, but for what those before it have. */
const NETWORK_FILES = {
  activationFormulas: ["../problem/activationFormulas"],
  stored: ["../io/safeTensor", "../io/graph", "../io/transposedPads"],
  network: ["imported/model", "core/elements", "core/volumes", "core/axes", "core/operands", "operations/reshape"],
  arithmetic: ["imported/runners/arithmetic"],
  joining: ["imported/runners/joining"],
  resizing: ["imported/runners/resizing"],
  resizingAxes: ["imported/runners/resizingAxes"],
  pooling: ["imported/runners/pooling"],
  means: ["imported/runners/means"],
  norms: ["imported/runners/norms"],
  rearranging: ["imported/runners/rearranging"],
  simplify: ["imported/simplify"],
  compileForward: ["recorded/compileForward"],
};

/** Third-party test vectors, read in place; tests that need them say so where the folder is absent. */
const corpora = resolve(root, process.env.CONV_CORPORA ?? "../shared/corpora");

/** Tests import the library by its name, from its sources. */
const alias = {
  "webgpu-conv/forward": resolve(root, "src/forward.ts"),
  "webgpu-conv/io": resolve(root, "src/io/index.ts"),
  "webgpu-conv/nn/node": resolve(root, "src/nn/data/node.ts"),
  "webgpu-conv/nn/page": resolve(root, "src/nn/imported/page.ts"),
  "webgpu-conv/nn": resolve(root, "src/nn/index.ts"),
  "webgpu-conv/reference": resolve(root, "src/reference/index.ts"),
  "webgpu-conv": resolve(root, "src/index.ts"),
};
/** Constants of the tests, in Node and in the browser. Each project needs its own copy: vitest empties what it is given. */
const define = {
  __CORPORA__: JSON.stringify(corpora),
  __CONV_SEED__: JSON.stringify(process.env.CONV_SEED ?? ""),
  __CONV_COUNT__: JSON.stringify(process.env.CONV_COUNT ?? ""),
  __CONV_SAMPLE__: JSON.stringify(process.env.CONV_SAMPLE ?? ""),
  __CONV_ONE_GROUP_IN__: JSON.stringify(Number(process.env.CONV_ONE_GROUP_IN ?? "1")),
  __CONV_TURNS__: JSON.stringify(process.env.CONV_TURNS ?? ""),
  __CONV_WHOLE_FILE__: JSON.stringify(process.env.CONV_WHOLE_FILE ?? ""),
  __CONV_ABOUT__: JSON.stringify(""),
};
/** What all projects have in common. */
const common = {
  // A software device compiles kernels for seconds.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  // A short run takes a sample of the tests.
  setupFiles: process.env.CONV_SAMPLE ? ["test/support/sampleSetup.ts"] : [],
};

/** Node and Chromium take turns in a whole run of all platforms. */
const inTurns = process.env.CONV_TURNS ? ["test/support/turnsSetup.ts"] : [];

/** The tests that need a device, which run on every platform. */
const GPU_TESTS = "test/{gpu,properties,conformance}/**/*.test.ts";
/** The demo page's, which a browser shows and playwright drives. */
const DEMO_TESTS = "test/demo/**/*.test.ts";
/** A test for one platform says so in its name; the others leave it out. */
const onlyFor = (platform: string): string => `test/**/*.${platform}.test.ts`;

/**
 * What the projects share, on the engine that this module gives. Platforms divide what takes a software device minutes: so
 * many random layers of test/properties/space (most in the browser: lavapipe, in Node, compiles for seconds a layer), and
 * the variant of each family of layers that test/gpu/exact runs by every solver. Where they take turns, Node has some of the random
 * layers that Chromium has.
 */
const platform = (
  engine: string,
  randomLayers: number,
  variant: "plain" | "odd",
): Pick<TestProjectInlineConfiguration, "plugins" | "define" | "resolve"> => ({
  plugins: [wgsl(root)],
  define: {
    ...define,
    __CONV_LAYERS__: JSON.stringify(randomLayers),
    __CONV_VARIANT__: JSON.stringify(variant),
  },
  resolve: { alias: { ...alias, "test-engine": resolve(root, "test/support", engine) } },
});

const nodeProject = (): TestProjectInlineConfiguration => ({
  ...platform("engine.node.ts", process.env.CONV_TURNS ? 5 : 40, "odd"),
  test: {
    ...common,
    setupFiles: [...common.setupFiles, ...inTurns],
    name: "node",
    include: ["test/**/*.test.ts"],
    exclude: [onlyFor("browser"), DEMO_TESTS],
    environment: "node",
    // A worker thread's environment does not reach the Vulkan loader: processes, not threads.
    pool: "forks",
  },
});

/** Node again, on a driver whose shaders compute in float16: a sample takes the tests that speak of it (test/run/float16.ts). */
const float16Project = (): TestProjectInlineConfiguration => {
  const { test, define, ...project } = nodeProject();
  return {
    ...project,
    define: { ...define, __CONV_ABOUT__: JSON.stringify("float16") },
    test: { ...test, name: "float16", include: [GPU_TESTS] },
  };
};

/** The demo page, built and served once (test/demo/support/globalSetup.ts). One file at a time: all share a software device. */
const demoProject = (): TestProjectInlineConfiguration => ({
  plugins: [wgsl(root)],
  define: { ...define },
  resolve: { alias },
  test: {
    ...common,
    name: "demo",
    include: [DEMO_TESTS],
    exclude: process.env[FIREFOX_VARIABLE] ? [] : [onlyFor("firefox")],
    globalSetup: ["test/demo/support/globalSetup.ts"],
    environment: "node",
    pool: "forks",
    maxWorkers: 1,
    fileParallelism: false,
  },
});

/** Deno's own WebGPU (wgpu and naga): only there, where vitest itself runs in Deno (test/run/deno.ts). */
const denoProject = (): TestProjectInlineConfiguration => ({
  ...platform("engine.deno.ts", 100, "odd"),
  test: {
    ...common,
    name: "deno",
    include: [GPU_TESTS],
    exclude: [onlyFor("browser"), onlyFor("node")],
    environment: "node",
    pool: "forks",
  },
});

const chromiumProject = (): TestProjectInlineConfiguration => ({
  ...platform("engine.browser.ts", 200, "plain"),
  server: { fs: { allow: [root, corpora] } },
  test: {
    ...common,
    setupFiles: [...common.setupFiles, ...inTurns],
    name: "chromium",
    include: [GPU_TESTS],
    exclude: [onlyFor("node")],
    globalSetup: ["test/support/chromiumSetup.ts"],
    browser: {
      enabled: true,
      // One page: all share one process for the device. What replaces this option, a project's own fileParallelism, has the project
      // wait until all others have run (groupSpecs in vitest 4.1); to be replaced where that no longer is so.
      // eslint-disable-next-line @typescript-eslint/no-deprecated
      fileParallelism: false,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions: launchOptions() }),
      instances: [{ browser: "chromium" as const }],
    },
  },
});

/** Firefox as it is installed, with wgpu and naga: only where test/run has found one that has WebGPU, and chosen its driver. */
const firefoxProject = (): TestProjectInlineConfiguration => ({
  ...platform("engine.browser.ts", 100, "plain"),
  server: { fs: { allow: [root, corpora] } },
  test: {
    ...common,
    name: "firefox",
    include: [GPU_TESTS],
    exclude: [onlyFor("node")],
    fileParallelism: false,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: firefox(),
      instances: [{ browser: "firefox" as const }],
    },
  },
});

function projects(): TestProjectInlineConfiguration[] {
  if ("Deno" in globalThis) return [denoProject()];
  const installed = process.env[FIREFOX_VARIABLE] ? [firefoxProject()] : [];
  const float16 = process.env[FLOAT16_VARIABLE] ? [float16Project()] : [];
  return [nodeProject(), chromiumProject(), demoProject(), ...installed, ...float16];
}

/**
 * The library (`vite build`): an entry for each platform, no runtime dependency. Its tests: in Node, and the ones that need a device
 * in Chromium and Deno too.
 */
export default defineConfig({
  plugins: [
    wgsl(root),
    pureModules(),
    namespaceFile(resolve(root, "src/nn/modules/index.ts"), "layers.js"),
    folderByFolder(resolve(root, "src"), resolve(root, "src/index.ts")),
  ],
  build: library(
    "dist",
    {
      index: "src/index.ts",
      node: "src/node.ts",
      nodeInPage: "src/nodeInPage.ts",
      io: "src/io/index.ts",
      nn: "src/nn/index.ts",
      layers: "src/nn/modules/index.ts",
      nnNode: "src/nn/data/node.ts",
      nnPage: "src/nn/imported/page.ts",
      reference: "src/reference/index.ts",
    },
    [
      ...inFewFiles(resolve(root, "src/index.ts"), "engine", {
        data: [resolve(root, "src/nn/data/loader.ts")],
        problem: [resolve(root, "src/reference/index.ts"), resolve(root, "src/io/index.ts")],
      }),
      ...inFilesOf(resolve(root, "src/nn"), NETWORK_FILES),
    ],
  ),
  test: {
    projects: projects(),
  },
});
