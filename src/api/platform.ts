/** From a platform's GPU object to a device; where there is none, what stands in the way and what would help. */
import { DeviceError, textOf } from "../base/errors.js";
import { describeAdapter } from "../planning/adapter.js";
import { deviceRequest } from "../planning/capabilities.js";
import type { GPU, GPUDevice, GPUPowerPreference } from "../base/webgpuTypes.js";

/** Where a device may come from. */
export interface Platform {
  readonly gpu: GPU | undefined;
  /** What to do where there is no `gpu`, as a sentence. */
  readonly missing: string;
  /** What to do where it gives no adapter, or the adapter no device. */
  readonly remedy: string;
}

/** What is read of `globalThis`. */
export interface Globals {
  readonly navigator?: { readonly gpu?: unknown };
  readonly isSecureContext?: boolean;
  readonly Deno?: unknown;
  readonly process?: { readonly versions?: { readonly node?: string; readonly electron?: string } };
}

const ASK_FOR_CPU = 'Or ask for the CPU: createEngine({ backend: "cpu" }).';

const SEE_BROWSER =
  "chrome://gpu (about:support in Firefox) says whether WebGPU is disabled or this GPU blocked; update the driver, turn " +
  "hardware acceleration on, or, on Linux, start Chrome with --enable-unsafe-webgpu --enable-features=Vulkan.";
const SEE_DENO = "Deno needs a driver for Vulkan, Metal or Direct3D 12.";

/** Whether this is Deno, which has a `process` too. */
export const isDeno = ({ Deno }: Globals): boolean => Deno !== undefined;

/** The platform of the entry for pages and workers, which is Deno's as well. */
export function pagePlatform(globals: Globals, gpu: GPU | undefined): Platform {
  return { gpu, missing: missingInPage(globals), remedy: isDeno(globals) ? SEE_DENO : SEE_BROWSER };
}

function missingInPage(globals: Globals): string {
  const { versions } = globals.process ?? {};
  if (isDeno(globals)) return "This Deno has no navigator.gpu: update it, or run it with --unstable-webgpu.";
  if (versions?.node !== undefined && versions.electron === undefined) {
    return 'Node and Bun have no navigator.gpu: import { createEngine } from "webgpu-conv/node".';
  }
  if (globals.isSecureContext === false) {
    return "This page is not a secure context, and has no navigator.gpu therefore: serve it over https, or from localhost.";
  }
  return "This browser has no navigator.gpu: use Chrome or Edge 113, Safari 26, Firefox 141 or later, where WebGPU is not turned off.";
}

/**
 * Requests a device with all that the adapter has of what this library uses.
 *
 * @throws DeviceError that says which it is: no WebGPU, no adapter, a software adapter alone, a device that is refused or lost.
 */
export async function requestDevice(platform: Platform, powerPreference: GPUPowerPreference): Promise<GPUDevice> {
  const { gpu, missing, remedy } = platform;
  if (!gpu) throw new DeviceError(`WebGPU is not available here. ${missing} ${ASK_FOR_CPU}`);
  const fail = (what: string, cause?: unknown): DeviceError =>
    new DeviceError(`${what}. ${remedy} ${ASK_FOR_CPU}`, { cause });
  let what = "WebGPU's requestAdapter failed";
  try {
    const adapter = (await gpu.requestAdapter({ powerPreference })) ?? (await gpu.requestAdapter());
    if (!adapter) {
      const software = await gpu.requestAdapter({ forceFallbackAdapter: true });
      const found = software ? `but one in software, ${describeAdapter(software.info)}: the GPU is blocked` : "at all";
      throw fail(`WebGPU is there, but gives no adapter ${found}`);
    }
    what = `the adapter ${describeAdapter(adapter.info)} gives no device`;
    const device = await adapter.requestDevice(deviceRequest(adapter));
    const lost = await Promise.race([device.lost, Promise.resolve()]);
    if (lost) throw fail(`${what} that lives: ${lost.message || lost.reason}`);
    return device;
  } catch (cause) {
    if (cause instanceof DeviceError) throw cause;
    throw fail(`${what}: ${textOf(cause)}`, cause);
  }
}
