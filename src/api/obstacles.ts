/** Where no device comes: what stands in the way, and what would help. Loaded when it is needed. */
import { DeviceError, textOf } from "../base/errors.js";
import type { GPU } from "../base/webgpuTypes.js";
import { describeAdapter } from "../planning/adapter.js";
import { type Globals, isDeno } from "./globals.js";

/** What a platform says, as sentences. */
export interface Help {
  /** What to do where there is no `gpu`. */
  readonly missing: string;
  /** What to do where it gives no adapter, or the adapter no device. */
  readonly remedy: string;
}

/** How far a request for a device came. */
export interface Attempt {
  readonly gpu: GPU | undefined;
  /** Null or undefined where there is none. */
  adapter?: GPUAdapter | null | undefined;
  /** Of a device that came, and was lost from the first. */
  lost?: GPUDeviceLostInfo | undefined;
  /** What was thrown; undefined where nothing was. */
  cause?: unknown;
}

const ASK_FOR_CPU = 'Or ask for the CPU: createEngine({ backend: "cpu" }).';

const SEE_BROWSER =
  "chrome://gpu (about:support in Firefox) says whether WebGPU is disabled or this GPU blocked; update the driver, turn " +
  "hardware acceleration on, or, on Linux, start Chrome with --enable-unsafe-webgpu --enable-features=Vulkan.";
const SEE_DENO = "Deno needs a driver for Vulkan, Metal or Direct3D 12.";

/** Of the entry for pages and workers, which is Deno's as well. */
export const helpInPage = (globals: Globals): Help => ({
  missing: missingInPage(globals),
  remedy: isDeno(globals) ? SEE_DENO : SEE_BROWSER,
});

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

/** The error that tells it. */
export async function obstacle(attempt: Attempt, { missing, remedy }: Help): Promise<DeviceError> {
  const { gpu, cause } = attempt;
  if (!gpu) return new DeviceError(`WebGPU is not available here. ${missing} ${ASK_FOR_CPU}`);
  return new DeviceError(`${await whatFailed(gpu, attempt)}. ${remedy} ${ASK_FOR_CPU}`, { cause });
}

async function whatFailed(gpu: GPU, { adapter, lost, cause }: Attempt): Promise<string> {
  if (!adapter) {
    if (cause !== undefined) return `WebGPU's requestAdapter failed: ${textOf(cause)}`;
    const software = await gpu.requestAdapter({ forceFallbackAdapter: true });
    const found = software ? `but one in software, ${describeAdapter(software.info)}: the GPU is blocked` : "at all";
    return `WebGPU is there, but gives no adapter ${found}`;
  }
  const what = `the adapter ${describeAdapter(adapter.info)} gives no device`;
  return lost ? `${what} that lives: ${lost.message || lost.reason}` : `${what}: ${textOf(cause)}`;
}
