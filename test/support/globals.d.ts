/** Absolute path of the folder with third-party test vectors (set in vite.config.ts). */
declare const __CORPORA__: string;

/** The engine of the platform that the tests run on (aliased in vite.config.ts). */
declare module "test-engine" {
  export { createEngine } from "webgpu-conv/node";
}
