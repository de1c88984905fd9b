/** From a platform's GPU object to a device. */
import { loadLazily } from "../base/lazy.js";
import type { GPU, GPUDevice, GPUPowerPreference } from "../base/webgpuTypes.js";
import { deviceRequest } from "../planning/capabilities.js";
import type { Globals } from "./globals.js";
import type { Attempt, Help } from "./obstacles.js";

/** Where a device may come from. */
export interface Platform {
  readonly gpu: GPU | undefined;
  /** What to do where no device comes. */
  readonly help: () => Promise<Help>;
}

const loadObstacles = () => loadLazily("what is to be done without a device", () => import("./obstacles.js"));

/** The platform of the entry for pages and workers, which is Deno's as well. */
export const pagePlatform = (globals: Globals, gpu: GPU | undefined): Platform => ({
  gpu,
  help: async () => (await loadObstacles()).helpInPage(globals),
});

/** A device, and its adapter's description: Dawn's devices in Node leave out which matrices subgroups multiply. */
export interface RequestedDevice {
  readonly device: GPUDevice;
  readonly adapterInfo: GPUAdapterInfo;
}

/**
 * Requests a device with all that the adapter has of what this library uses.
 *
 * @throws DeviceError that says which it is: no WebGPU, no adapter, a software adapter alone, a device that is refused or lost.
 */
export async function requestDevice(
  { gpu, help }: Platform,
  powerPreference: GPUPowerPreference,
): Promise<RequestedDevice> {
  const attempt: Attempt = { gpu };
  try {
    attempt.adapter = (await gpu?.requestAdapter({ powerPreference })) ?? (await gpu?.requestAdapter());
    const { adapter } = attempt;
    const device = await adapter?.requestDevice(deviceRequest(adapter));
    attempt.lost = (await Promise.race([device?.lost, Promise.resolve()])) ?? undefined;
    if (adapter && device && !attempt.lost) return { device, adapterInfo: adapter.info };
  } catch (cause) {
    attempt.cause = cause;
  }
  const { obstacle } = await loadObstacles();
  throw await obstacle(attempt, await help());
}
