/** The backend that options ask for: a device's, wherever that comes from, or the CPU's. */
import { require, show } from "../base/errors.js";
import { loadLazily } from "../base/lazy.js";
import { requireWord } from "../base/spelling.js";
import type { GPUDevice } from "../base/webgpuTypes.js";
import type { CpuBackend } from "../cpu/cpuBackend.js";
import type { GpuBackendOptions } from "../gpu/coreBackend.js";
import type { ForwardEngineOptions } from "./engineOptions.js";
import type { PartOptions } from "../gpu/parts.js";
import { MOST_BYTES } from "../planning/capabilities.js";
import { DEVICE_CLASSES } from "../planning/devices.js";
import { Verdicts } from "../vetting/verdicts.js";
import { KernelVetting } from "../vetting/vetting.js";
import type { DropWatch } from "../tensor/dropWatch.js";
import { type Platform, requestDevice } from "./platform.js";

const POOL_BYTES = 2 ** 29;

/** How an engine's backends are made. `Own` is the kind that it needs. */
export interface Making<Own> {
  readonly onDevice: (device: GPUDevice, options: GpuBackendOptions) => Own;
  /** The backend that gets over the loss of its device. `renew` makes one on a new device. */
  readonly recovering: (first: Own, renew: () => Promise<Own>) => Promise<Own>;
}

export async function openBackend<Own>(
  options: ForwardEngineOptions,
  findPlatform: () => Promise<Platform>,
  { onDevice, recovering }: Making<Own>,
): Promise<Own | CpuBackend> {
  requireSound(options);
  const { backend = "webgpu", device: given, deviceClass, poolBytes = POOL_BYTES } = options;
  const { poison = false, debug = false, reacquire, recover = reacquire !== undefined } = options;
  if (backend === "cpu") {
    const { CpuBackend } = await loadLazily("the CPU backend", () => import("../cpu/cpuBackend.js"));
    return new CpuBackend();
  }
  const labels = debug ? (await loadLazily("debug", () => import("../gpu/labels.js"))).labels : undefined;
  const ofGpu = { poolBytes, poison, labels, deviceClass, vet: vetOf(options) };
  const onOwn = async (): Promise<Own> => {
    const platform = await findPlatform();
    const { device, adapterInfo } = await requestDevice(platform, options.powerPreference ?? "high-performance");
    try {
      return onDevice(device, { ownsDevice: true, adapterInfo, ...ofGpu, pieces: await piecesOn(device) });
    } catch (error) {
      device.destroy();
      throw error;
    }
  };
  const onGiven = async (device: GPUDevice): Promise<Own> =>
    onDevice(device, { ownsDevice: false, ...ofGpu, pieces: await piecesOn(device) });
  const first = given ? await onGiven(given) : await onOwn();
  if (!recover) return first;
  return await recovering(first, async () => {
    if (!reacquire) return await onOwn();
    const device = await reacquire();
    requireDevice("what reacquire gives", device);
    return await onGiven(device);
  });
}

/** What runs operations in pieces, where a tensor may be larger than what the device binds. */
async function piecesOn({ limits }: GPUDevice): Promise<PartOptions["pieces"]> {
  if (Math.min(limits.maxBufferSize, MOST_BYTES) <= limits.maxStorageBufferBindingSize) return undefined;
  return (await loadLazily("what runs large tensors in pieces", () => import("../gpu/inPieces.js"))).PIECES;
}

/** Makes what tries kernels, with verdicts that outlive a device; undefined where nothing is to. */
function vetOf(options: ForwardEngineOptions): GpuBackendOptions["vet"] {
  if (options.vetKernels === false) return undefined;
  const verdicts = new Verdicts(warningsOf(options));
  const browser = (globalThis as { readonly navigator?: { readonly userAgent?: string } }).navigator?.userAgent;
  return ({ description, vendor, architecture }) =>
    new KernelVetting(verdicts, [description, vendor, architecture, browser].filter(Boolean).join("; "));
}

const requireDevice = (name: string, device: GPUDevice): void =>
  requireMethods(name, device, ["createBuffer", "createComputePipelineAsync"], "a GPUDevice");

/** Where warnings go. */
export function warningsOf({ onWarning }: ForwardEngineOptions): (message: string) => void {
  // eslint-disable-next-line no-console -- whoever gives no place for warnings should still see them
  return onWarning ?? ((message) => console.warn(`webgpu-conv: ${message}`));
}

/** What says where dropped tensors were made, in development. */
export async function watchOf(options: ForwardEngineOptions): Promise<DropWatch | undefined> {
  if (options.development !== true) return undefined;
  const { DropWatch } = await loadLazily("what development needs", () => import("../tensor/dropWatch.js"));
  return new DropWatch(warningsOf(options));
}

/** Checks every option. The CPU backend ignores those of a GPU, and refuses a device. */
function requireSound(options: ForwardEngineOptions): void {
  const {
    backend = "webgpu",
    device,
    powerPreference,
    deviceClass,
    poolBytes = 0,
    poison = false,
    development = false,
    debug = false,
    recover = false,
    vetKernels = true,
    reacquire,
    onWarning,
  } = options;
  requireWord("backend", backend, ["webgpu", "cpu"]);
  if (powerPreference !== undefined) requireWord("powerPreference", powerPreference, ["low-power", "high-performance"]);
  if (deviceClass !== undefined) requireWord("deviceClass", deviceClass, DEVICE_CLASSES);
  require(typeof poolBytes === "number" && poolBytes >= 0, () => {
    return `poolBytes is ${show(poolBytes)}; expected a number of bytes, at least 0`;
  });
  for (const [name, value] of Object.entries({ poison, development, debug, recover, vetKernels })) {
    require(typeof value === "boolean", () => `${name} is ${show(value)}; expected a boolean`);
  }
  if (device !== undefined) {
    requireDevice("device", device);
    require(!recover || reacquire !== undefined, () => {
      return "recover is true, and a device is given; expected reacquire too: a function that returns a new device, once this one is lost";
    });
    require(backend === "webgpu", () => `backend is "cpu", and a device is given; expected one of the two`);
    require(powerPreference === undefined, () => {
      return `powerPreference is ${show(powerPreference)}, and a device is given; expected one of the two: no device is requested`;
    });
  }
  require(reacquire === undefined || typeof reacquire === "function", () => {
    return `reacquire is ${show(reacquire)}; expected a function that returns a promise of a new GPUDevice`;
  });
  require(reacquire === undefined || options.recover !== false, () => {
    return "recover is false, and reacquire is given; expected one of the two";
  });
  require(onWarning === undefined || typeof onWarning === "function", () => {
    return `onWarning is ${show(onWarning)}; expected a function that takes a message`;
  });
}

/** Throws unless a value has these methods. */
export function requireMethods(name: string, value: object, methods: readonly string[], expected: string): void {
  const fields = value as Readonly<Record<string, unknown>> | null;
  require(typeof value === "object" && methods.every((method) => typeof fields?.[method] === "function"), () => {
    return `${name} is ${show(value)}; expected ${expected}`;
  });
}
