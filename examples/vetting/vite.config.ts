import { resolve } from "node:path";
import { defineConfig } from "vite";
import { wgsl } from "../../build/wgslPlugin.js";

const root = resolve(import.meta.dirname, "../..");

/** For Node, of the library's sources: no entry of the package offers a trial by itself. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [wgsl(root)],
  resolve: {
    alias: {
      "webgpu-conv/node": resolve(root, "src/node.ts"),
      "webgpu-conv/nn": resolve(root, "src/nn/index.ts"),
      "webgpu-conv": resolve(root, "src/index.ts"),
    },
  },
  build: {
    target: "node20",
    ssr: true,
    minify: false,
    outDir: resolve(root, "out/vetting"),
    emptyOutDir: true,
    rolldownOptions: { input: resolve(import.meta.dirname, "main.ts"), output: { entryFileNames: "[name].js" } },
  },
});
