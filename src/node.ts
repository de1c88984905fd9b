/**
 * `webgpu-conv/node`: everything that `webgpu-conv` exports, with a `createEngine` that finds a device in
 * Node. WebGPU comes from Dawn, through the optional peer dependency `webgpu`.
 */
import { makeEngine } from "./api/createEngine.js";
import { ENGINE_KEYS, type EngineOptions } from "./api/engineOptions.js";
import type { Engine } from "./api/engine.js";
import { require, show, textOf } from "./base/errors.js";
import { type DawnModule, findGpu } from "./node/dawn.js";
import { optionKeys, requireOptions } from "./base/optionKeys.js";
import { isDeno } from "./api/globals.js";
import type { Platform } from "./api/platform.js";

export type { DawnModule } from "./node/dawn.js";
export { fileStore } from "./node/fileStore.js";
// The local createEngine below takes the place of the page's.
export * from "./index.js";

export interface NodeEngineOptions extends EngineOptions {
  /** Dawn, already loaded; `import("webgpu")` when absent. */
  readonly dawn?: DawnModule;
  /** Options for Dawn, "name=value" each, as its README lists them. */
  readonly dawnOptions?: readonly string[];
}

const NODE_ENGINE_OPTIONS = optionKeys<NodeEngineOptions>(
  { ...ENGINE_KEYS, dawn: 1, dawnOptions: 1 },
  { string: "backend" },
);

const IN_DENO = 'Deno has WebGPU itself: import { createEngine } from "webgpu-conv".';
const NO_DAWN = "In Node it needs the package webgpu (Dawn): npm install webgpu.";
const NO_DRIVER =
  "Install a GPU driver, or, on Linux x86-64, the software driver SwiftShader with npm install --save-dev @sparticuz/chromium@147.0.0.";

/**
 * Makes an engine in Node: on the machine's GPU where Dawn finds one, else on SwiftShader, a software driver
 * (`engine.adapter.software` then says so). The Vulkan loader's own variable VK_DRIVER_FILES chooses another driver.
 *
 * A process ends by itself when nothing is left to do, with a live engine too.
 *
 * @throws DeviceError with the remedy where there is neither Dawn nor a driver.
 */
export async function createEngine(options: NodeEngineOptions = {}): Promise<Engine> {
  requireOptions(options, NODE_ENGINE_OPTIONS);
  requireDawn(options);
  return await makeEngine(options, async () => await findDawn(options), NODE_ENGINE_OPTIONS);
}

function requireDawn({ dawn, dawnOptions = [] }: NodeEngineOptions): void {
  const { create, globals } = ((dawn as unknown) ?? {}) as Partial<DawnModule>;
  require(dawn === undefined || (typeof create === "function" && typeof globals === "object"), () => {
    return `dawn is ${show(dawn)}; expected what import("webgpu") gives`;
  });
  const isList: boolean = Array.isArray(dawnOptions);
  require(isList && dawnOptions.every((option) => typeof (option as unknown) === "string"), () => {
    return `dawnOptions is ${show(dawnOptions)}; expected a list of texts, "name=value" each`;
  });
}

async function findDawn({ dawn, dawnOptions = [] }: NodeEngineOptions): Promise<Platform> {
  const helpWith = (missing: string) => () => Promise.resolve({ missing, remedy: NO_DRIVER });
  const without = (missing: string): Platform => ({ gpu: undefined, help: helpWith(missing) });
  if (!dawn && isDeno(globalThis)) return without(IN_DENO);
  let module: DawnModule;
  try {
    module = dawn ?? (await import("webgpu"));
  } catch (error) {
    const { code } = error as { readonly code?: string };
    return without(code === "ERR_MODULE_NOT_FOUND" ? NO_DAWN : `The package webgpu does not load: ${textOf(error)}.`);
  }
  const { create, globals } = module;
  for (const [name, value] of Object.entries(globals) as [string, unknown][]) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  return { gpu: await findGpu(create, dawnOptions), help: helpWith("") };
}
