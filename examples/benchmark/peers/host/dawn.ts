/** The benchmark in this process, on Dawn for Node: for a driver that the browser does not take, Mesa's lavapipe. */
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { createServer } from "vite";
import dawn from "webgpu/package.json" with { type: "json" };
import { findLavapipe } from "../../../../test/run/drivers.js";
import type { openBench } from "../bench.js";
import type { Loaded } from "../loadSources.js";
import type { Host } from "./host.js";
import { VITE } from "./vite.js";

/** Once a process: Dawn does not bear a second instance beside the first. */
let provided: Promise<void> | undefined;

/** A module of this folder, by its path from here, with WebGPU on lavapipe around it. */
export async function loadOnLavapipe<Module>(path: string): Promise<Loaded<Module> & { readonly platform: string }> {
  const found = findLavapipe();
  if ("missing" in found) throw new Error(found.missing);
  // The Vulkan loader reads them when Dawn is loaded.
  Object.assign(process.env, { XDG_RUNTIME_DIR: tmpdir(), ...found.environment });
  await (provided ??= provideWebGpu());
  const server = await createServer({
    ...VITE,
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    // Not meant for Node's own loader: bundled as for a page.
    ssr: { noExternal: ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-webgpu", "@tensorflow/tfjs-layers"] },
  });
  const module = (await server.ssrLoadModule(`/../${path}`)) as Module;
  const platform = `Node ${process.version}, Dawn of webgpu ${dawn.version}`;
  return { module, platform, close: () => server.close() };
}

export async function openLavapipe(tune: boolean): Promise<Host> {
  const { module, platform, close } = await loadOnLavapipe<{ openBench: typeof openBench }>("bench.ts");
  const bench = await module.openBench(tune);
  return {
    platform,
    opened: bench.opened,
    measure: (task) => bench.measure(task),
    train: (task) => bench.train(task),
    close,
  };
}

/** Makes this process look like a page with WebGPU. */
async function provideWebGpu(): Promise<void> {
  // TensorFlow.js sees Node, and expects to be CommonJS there.
  Object.assign(globalThis, { require: createRequire(import.meta.url) });
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  acceptSharedMemory();
  const navigator = { gpu: create([]), userAgent: "Node", hardwareConcurrency: availableParallelism() };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
}

/** The standard lets `writeBuffer` read memory that threads share, as ONNX Runtime's is; webgpu 0.6.2 for Node refuses it. */
function acceptSharedMemory(): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called on the queue it was called on
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (buffer, bufferOffset, data, dataOffset, size) {
    const copy = data instanceof Uint8Array && data.buffer instanceof SharedArrayBuffer ? data.slice() : data;
    writeBuffer.call(this, buffer, bufferOffset, copy as GPUAllowSharedBufferSource, dataOffset, size);
  };
}
