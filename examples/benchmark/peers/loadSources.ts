/** Loads what computes in float64: from this repository's sources, which alone have an engine for it, in a process of Node. */
import { dirname, join } from "node:path";
import { createServer } from "vite";
import { wgsl } from "../../../build/wgslPlugin.js";
import { repository } from "./host/vite.js";

export interface Loaded<Module> {
  readonly module: Module;
  readonly close: () => Promise<void>;
}

/** @param file a module that imports `webgpu-conv`; of the type that the caller says */
export async function loadSources<Module>(file: string): Promise<Loaded<Module>> {
  const server = await createServer({
    configFile: false,
    root: dirname(file),
    logLevel: "error",
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    // Node has no `using` yet.
    oxc: { target: "es2022" },
    plugins: [wgsl(repository)],
    resolve: {
      alias: {
        "webgpu-conv/io": join(repository, "src/io/index.ts"),
        "webgpu-conv/nn": join(repository, "src/nn/index.ts"),
        "webgpu-conv": join(repository, "src/index.ts"),
      },
    },
  });
  const module = (await server.ssrLoadModule(file)) as Module;
  return { module, close: () => server.close() };
}
