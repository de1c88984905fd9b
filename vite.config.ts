import { resolve } from "node:path";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { wgsl } from "./build/wgslPlugin.js";
import { chromiumLaunchOptions } from "./test/support/chromium.js";

const root = import.meta.dirname;

/** Third-party test vectors, read in place; tests that need them say so where the folder is absent. */
const corpora = resolve(root, process.env.CONV_CORPORA ?? "../shared/corpora");

/** Tests import the library by its name, from its sources. */
const alias = {
  "webgpu-conv/reference": resolve(root, "src/reference/index.ts"),
  "webgpu-conv": resolve(root, "src/index.ts"),
};
/** Constants of the tests, in Node and in the browser. Each project needs its own copy: vitest empties what it is given. */
const define = {
  __CORPORA__: JSON.stringify(corpora),
  __CONV_SEED__: JSON.stringify(process.env.CONV_SEED ?? ""),
  __CONV_COUNT__: JSON.stringify(process.env.CONV_COUNT ?? ""),
};
/** A software device compiles kernels for seconds. */
const timeouts = { testTimeout: 120_000, hookTimeout: 120_000 };

/** The library (`vite build`): three entries, no runtime dependency. Its tests: in Node, and the GPU ones in Chromium too. */
export default defineConfig(async ({ command, mode }) => ({
  plugins: [wgsl(root)],
  build: {
    target: "es2022",
    minify: false,
    sourcemap: true,
    lib: {
      entry: { index: "src/index.ts", node: "src/node.ts", reference: "src/reference/index.ts" },
      formats: ["es" as const],
    },
    rolldownOptions: { external: [/^node:/, "webgpu"] },
  },
  test: {
    projects: [
      {
        plugins: [wgsl(root)],
        define: { ...define },
        resolve: { alias: { ...alias, "test-engine": resolve(root, "test/support/engine.node.ts") } },
        test: {
          ...timeouts,
          name: "node",
          include: ["test/**/*.test.ts"],
          environment: "node",
          // A worker thread's environment does not reach the Vulkan loader: processes, not threads.
          pool: "forks",
        },
      },
      {
        plugins: [wgsl(root)],
        define: { ...define },
        resolve: { alias: { ...alias, "test-engine": resolve(root, "test/support/engine.browser.ts") } },
        server: { fs: { allow: [root, corpora] } },
        test: {
          ...timeouts,
          name: "chromium",
          include: ["test/{gpu,properties,conformance}/**/*.test.ts"],
          // The file system's part of a test stays in Node.
          exclude: ["test/**/*.node.test.ts"],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: command === "serve" && mode === "test" ? await chromiumLaunchOptions() : {},
            }),
            instances: [{ browser: "chromium" as const }],
          },
        },
      },
    ],
  },
}));
