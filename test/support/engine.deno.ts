/** The engine that tests run on, in Deno: its own WebGPU (wgpu and naga). */
export { createEngine } from "../../src/index.js";
