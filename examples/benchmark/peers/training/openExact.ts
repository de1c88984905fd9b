/** Loads what computes in float64: from this repository's sources, which alone have an engine for it, in a process of Node. */
import { join } from "node:path";
import { createServer } from "vite";
import { wgsl } from "../../../../build/wgslPlugin.js";
import { repository } from "../host/vite.js";
import type { exactOutcome } from "./exact.js";

export interface Exact {
  readonly outcomeOf: typeof exactOutcome;
  close(): Promise<void>;
}

export async function openExact(): Promise<Exact> {
  const server = await createServer({
    configFile: false,
    root: import.meta.dirname,
    logLevel: "error",
    server: { middlewareMode: true, hmr: false, watch: null },
    // Node has no `using` yet.
    oxc: { target: "es2022" },
    plugins: [wgsl(repository)],
    resolve: {
      alias: {
        "webgpu-conv/nn": join(repository, "src/nn/index.ts"),
        "webgpu-conv": join(repository, "src/index.ts"),
      },
    },
  });
  const module = (await server.ssrLoadModule("/exact.ts")) as { readonly exactOutcome: typeof exactOutcome };
  return { outcomeOf: module.exactOutcome, close: () => server.close() };
}
