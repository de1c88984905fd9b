import { defineConfig } from "vitest/config";
import { wgsl } from "./build/wgslPlugin.js";

const root = import.meta.dirname;

/** The library: three entries, no runtime dependency bundled or otherwise. */
export default defineConfig({
  plugins: [wgsl(root)],
  build: {
    target: "es2022",
    minify: false,
    sourcemap: true,
    lib: {
      entry: { index: "src/index.ts", node: "src/node.ts", reference: "src/reference/index.ts" },
      formats: ["es"],
    },
    rolldownOptions: { external: [/^node:/, "webgpu"] },
  },
});
