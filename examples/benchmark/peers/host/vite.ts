/** How vite finds the parts of the benchmark, for the page and for Node alike. */
import { join, resolve } from "node:path";
import type { InlineConfig } from "vite";

const folder = resolve(import.meta.dirname, "..");
export const repository = resolve(folder, "../../..");

export const VITE: InlineConfig = {
  configFile: false,
  root: join(folder, "page"),
  cacheDir: join(folder, "node_modules/.vite"),
  logLevel: "error",
  resolve: {
    alias: {
      "webgpu-conv/io": join(repository, "dist/io.js"),
      "webgpu-conv/nn": join(repository, "dist/nn.js"),
      "webgpu-conv/reference": join(repository, "dist/reference.js"),
      "webgpu-conv": join(repository, "dist/index.js"),
    },
  },
  optimizeDeps: {
    include: [
      "@tensorflow/tfjs-core",
      "@tensorflow/tfjs-core/dist/register_all_gradients",
      "@tensorflow/tfjs-backend-webgpu",
      "@tensorflow/tfjs-layers",
      "@jax-js/jax",
      "@bufbuild/protobuf/wire",
    ],
    // It loads its own files from where they lie.
    exclude: ["onnxruntime-web"],
    noDiscovery: true,
  },
};
