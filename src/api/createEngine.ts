/** Makes a whole engine from a GPU object, wherever that comes from. */
import type { Backend } from "../backend/backend.js";
import { loadLazily } from "../base/lazy.js";
import { type OptionKeys, optionKeys, requireOptions } from "../base/optionKeys.js";
import { requireWord } from "../base/spelling.js";
import { GpuBackend } from "../gpu/gpuBackend.js";
import { TUNE_MODES, type TuneMode, Tuning } from "../tuner/tuning.js";
import { Context } from "./context.js";
import { Engine } from "./engine.js";
import { EngineCore } from "./engineCore.js";
import { ENGINE_KEYS, type EngineOptions } from "./engineOptions.js";
import { openBackend, requireMethods, warningsOf, watchOf } from "./openBackend.js";
import type { Platform } from "./platform.js";

const ENGINE_OPTIONS = optionKeys<EngineOptions>(ENGINE_KEYS, { string: "backend" });

/** @param known the options of the platform's own `createEngine` */
export async function makeEngine(
  options: EngineOptions,
  findPlatform: () => Promise<Platform>,
  known: OptionKeys = ENGINE_OPTIONS,
): Promise<Engine> {
  requireOptions(options, known);
  const { tune = "off", tuningStore } = options;
  requireWord("tune", tune, TUNE_MODES);
  if (tuningStore !== undefined) {
    requireMethods("tuningStore", tuningStore, ["load", "save"], "a store, such as memoryStore() gives");
  }
  const backend = await openBackend<Backend>(options, findPlatform, {
    onDevice: (device, ofGpu) => new GpuBackend(device, ofGpu),
    recovering: async (first, renew) => {
      const { RecoveringBackend } = await loadLazily("what recovers", () => import("../recovery/backend.js"));
      return new RecoveringBackend(first, renew);
    },
  });
  try {
    return await withTuning(backend, tune, options);
  } catch (error) {
    backend.dispose();
    throw error;
  }
}

async function withTuning(backend: Backend, mode: TuneMode, options: EngineOptions): Promise<Engine> {
  const { tuningStore: store } = options;
  const warn = warningsOf(options);
  const tuning = new Tuning(backend, { mode, store, warn });
  if (store) await tuning.load();
  return new Engine(new Context(new EngineCore(backend, tuning, await watchOf(options))));
}
