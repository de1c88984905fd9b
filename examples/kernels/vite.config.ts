import { resolve } from "node:path";
import { defineConfig } from "vite";
import { wgsl } from "../../build/wgslPlugin.js";

const root = resolve(import.meta.dirname, "../..");

/** For Node, of the library's sources: the report plans without a device, which no entry of the package offers. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [wgsl(root)],
  resolve: {
    alias: {
      "webgpu-conv/reference": resolve(root, "src/reference/index.ts"),
      "webgpu-conv": resolve(root, "src/index.ts"),
    },
  },
  build: {
    target: "node20",
    ssr: true,
    minify: false,
    outDir: resolve(root, "out/kernels"),
    emptyOutDir: true,
    rolldownOptions: {
      input: [resolve(import.meta.dirname, "main.ts"), resolve(import.meta.dirname, "compile.ts")],
      output: { entryFileNames: "[name].js" },
    },
  },
});
