/**
 * `webgpu-conv/node`: everything that `webgpu-conv` exports, with a `createEngine` that finds a device in
 * Node. WebGPU comes from Dawn, through the optional peer dependency `webgpu`.
 */
import { type EngineOptions, makeEngine, type Platform } from "./createEngine.js";
import type { Engine } from "./engine.js";
import { installSoftwareDriver } from "./node/softwareDriver.js";
import type { GPU } from "./webgpuTypes.js";

export { fileStore } from "./node/fileStore.js";
// The local createEngine below takes the place of the page's.
export * from "./index.js";

/** Dawn's Node module, as `import("webgpu")` gives it. */
export interface DawnModule {
  readonly create: (options: string[]) => GPU;
  readonly globals: Readonly<Record<string, unknown>>;
}

export interface NodeEngineOptions extends EngineOptions {
  /** Dawn, already loaded; `import("webgpu")` when absent. */
  readonly dawn?: DawnModule;
  /** Options for Dawn, "name=value" each, as its README lists them. */
  readonly dawnOptions?: readonly string[];
}

const NO_DAWN =
  "WebGPU in Node needs the package webgpu (Dawn): npm install webgpu. " +
  'Or ask for the CPU with createEngine({ backend: "cpu" }).';
const NO_DRIVER =
  "Dawn found no GPU, and there is no software driver to fall back on: install a GPU driver, or, on Linux x86-64, " +
  'SwiftShader with npm install --save-dev @sparticuz/chromium@147.0.0. Or ask for the CPU with createEngine({ backend: "cpu" }).';

/**
 * Makes an engine in Node: on the machine's GPU where Dawn finds one, else on SwiftShader, a software driver
 * (`engine.adapter.software` then says so). The Vulkan loader's own variable VK_DRIVER_FILES chooses another driver.
 *
 * A process with a live engine does not end by itself: `engine.dispose()`.
 *
 * @throws DeviceError with the remedy where there is neither Dawn nor a driver.
 */
export async function createEngine(options: NodeEngineOptions = {}): Promise<Engine> {
  return await makeEngine(options, async () => await findDawn(options));
}

async function findDawn({ dawn, dawnOptions = [] }: NodeEngineOptions): Promise<Platform> {
  const module = dawn ?? (await import("webgpu").catch(() => undefined));
  if (!module) return { gpu: undefined, missing: NO_DAWN };
  const { create, globals } = module as DawnModule;
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const gpu = create([...dawnOptions]);
  if (await gpu.requestAdapter()) return { gpu, missing: NO_DRIVER };
  const installed = await installSoftwareDriver();
  return { gpu: installed ? create([...dawnOptions]) : undefined, missing: NO_DRIVER };
}
