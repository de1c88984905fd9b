/** Makes an engine for forward passes: the solvers of these, and nothing that only other operations need. */
import type { CoreBackend } from "../backend/backend.js";
import { loadLazily } from "../base/lazy.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import { CoreGpuBackend } from "../gpu/coreBackend.js";
import { choose, type Select } from "../solvers/choose.js";
import { GATHER_SOLVERS } from "../solvers/gatherList.js";
import { Context } from "./context.js";
import { FORWARD_ENGINE_KEYS, type ForwardEngineOptions } from "./engineOptions.js";
import { ForwardCore } from "./forwardCore.js";
import { ForwardEngine } from "./forwardEngine.js";
import { openBackend, watchOf } from "./openBackend.js";
import type { Platform } from "./platform.js";

const FORWARD_ENGINE_OPTIONS = optionKeys<ForwardEngineOptions>(FORWARD_ENGINE_KEYS, { string: "backend" });

const select: Select = (operation, capabilities, choice, faulty) =>
  choose(GATHER_SOLVERS, operation, capabilities, choice, faulty);

export async function makeForwardEngine(
  options: ForwardEngineOptions,
  findPlatform: () => Promise<Platform>,
): Promise<ForwardEngine> {
  requireOptions(options, FORWARD_ENGINE_OPTIONS);
  const watch = await watchOf(options);
  const backend = await openBackend<CoreBackend>(options, findPlatform, {
    onDevice: (device, ofGpu) => new CoreGpuBackend(device, ofGpu, select),
    recovering: async (first, renew) => {
      const { RecoveringCoreBackend } = await loadLazily("what recovers", () => import("../recovery/coreBackend.js"));
      return new RecoveringCoreBackend(first, renew);
    },
  });
  return new ForwardEngine(new Context(new ForwardCore(backend, watch)));
}
