/** Makes an engine from a GPU object, wherever that comes from. */
import type { Backend } from "../backend/backend.js";
import { Context } from "./context.js";
import { Engine } from "./engine.js";
import { EngineCore } from "./engineCore.js";
import { require, show } from "../base/errors.js";
import { GpuBackend } from "../gpu/gpuBackend.js";
import { loadLazily } from "../base/lazy.js";
import { type OptionKeys, optionKeys, requireOptions } from "../base/optionKeys.js";
import { DEVICE_CLASSES, type DeviceClass } from "../planning/devices.js";
import { type Platform, requestDevice } from "./platform.js";
import { requireWord } from "../base/spelling.js";
import type { TuningStore } from "../tuner/store.js";
import { TUNE_MODES, type TuneMode, Tuning } from "../tuner/tuning.js";
import type { GPUDevice, GPUPowerPreference } from "../base/webgpuTypes.js";

export interface EngineOptions {
  /**
   * "webgpu" (default) or "cpu". The CPU backend is the float64 reference behind the same methods: slow, for
   * pages without WebGPU. It is chosen only when asked for. It takes no `device`, and ignores the other options of a GPU.
   */
  readonly backend?: "webgpu" | "cpu";
  /**
   * Run on this device instead of requesting one, by no `powerPreference` therefore. The caller keeps it: `dispose` does
   * not destroy it.
   */
  readonly device?: GPUDevice;
  /** Which adapter to prefer where there are several; "high-performance" when absent. */
  readonly powerPreference?: GPUPowerPreference;
  /**
   * The class of devices whose plans are to be made, such as "nvidia" or "apple". When absent it is what the adapter tells;
   * `explain` says which that is. For browsers that tell nothing, and for seeing what another device would get. Results stay
   * right, whichever it is.
   */
  readonly deviceClass?: DeviceClass;
  /**
   * Device memory that may wait unused for later tensors, in bytes, and as much again for weights that were repacked
   * for a kernel and are kept so until they change (compiled sequences keep theirs besides); 512 MiB when absent.
   */
  readonly poolBytes?: number;
  /**
   * For tests and debugging: fills the memory of every result with NaN before the kernels run, so that an
   * element that none of them writes shows. Costs an upload an operation.
   */
  readonly poison?: boolean;
  /**
   * Whether the engine measures ways of running an operation on this device, and takes the fastest from then on: "off"
   * (default), though choices that are stored or imported are used; "first-use", where a call runs as ever and `finish`
   * waits for the measuring; or "background", while there is nothing else to do.
   */
  readonly tune?: TuneMode;
  /** Where tuned choices are kept from one page load or process to the next; nowhere when absent. */
  readonly tuningStore?: TuningStore;
  /**
   * For development: warns once of tensors that nobody disposed of before they were collected, how many and where they were
   * made. Costs a stack trace a tensor.
   */
  readonly development?: boolean;
  /**
   * For development: names buffers, compute passes, bind groups and pipelines by operation, as "conv2d forward 64x56x56 -> 64,
   * 3x3", and puts each operation into a debug group, so that a GPU profiler can be read. Operations of different sizes share
   * no pipelines then: first calls take longer.
   */
  readonly debug?: boolean;
  /** Told what was ignored, such as a broken tuning store; `console.warn` when absent. */
  readonly onWarning?: (message: string) => void;
}

export const ENGINE_KEYS = {
  backend: 1,
  device: 1,
  powerPreference: 1,
  deviceClass: 1,
  poolBytes: 1,
  poison: 1,
  tune: 1,
  tuningStore: 1,
  development: 1,
  debug: 1,
  onWarning: 1,
} as const;
const ENGINE_OPTIONS = optionKeys<EngineOptions>(ENGINE_KEYS, { string: "backend" });

const POOL_BYTES = 2 ** 29;

/** @param known the options of the platform's own `createEngine` */
export async function makeEngine(
  options: EngineOptions,
  findPlatform: () => Promise<Platform>,
  known: OptionKeys = ENGINE_OPTIONS,
): Promise<Engine> {
  requireOptions(options, known);
  requireSound(options);
  const {
    backend = "webgpu",
    poolBytes = POOL_BYTES,
    poison = false,
    debug = false,
    tune = "off",
    deviceClass,
  } = options;
  if (backend === "cpu") {
    const { CpuBackend } = await loadLazily("the CPU backend", () => import("../cpu/cpuBackend.js"));
    return await withTuning(new CpuBackend(), tune, options);
  }
  const labels = debug ? (await loadLazily("debug", () => import("../gpu/labels.js"))).labels : undefined;
  const onGpu = { poolBytes, poison, labels, deviceClass };
  if (options.device) {
    const backend = new GpuBackend(options.device, { ownsDevice: false, ...onGpu });
    return await withTuning(backend, tune, options);
  }
  const platform = await findPlatform();
  const device = await requestDevice(platform, options.powerPreference ?? "high-performance");
  try {
    return await withTuning(new GpuBackend(device, { ownsDevice: true, ...onGpu }), tune, options);
  } catch (error) {
    device.destroy();
    throw error;
  }
}

/** Checks every option. The CPU backend ignores those of a GPU, and refuses a device. */
function requireSound(options: EngineOptions): void {
  const {
    backend = "webgpu",
    device,
    powerPreference,
    deviceClass,
    poolBytes = 0,
    poison = false,
    development = false,
    debug = false,
    tune = "off",
  } = options;
  requireWord("backend", backend, ["webgpu", "cpu"]);
  requireWord("tune", tune, TUNE_MODES);
  if (powerPreference !== undefined) requireWord("powerPreference", powerPreference, ["low-power", "high-performance"]);
  if (deviceClass !== undefined) requireWord("deviceClass", deviceClass, DEVICE_CLASSES);
  require(typeof poolBytes === "number" && poolBytes >= 0, () => {
    return `poolBytes is ${show(poolBytes)}; expected a number of bytes, at least 0`;
  });
  for (const [name, value] of Object.entries({ poison, development, debug })) {
    require(typeof value === "boolean", () => `${name} is ${show(value)}; expected a boolean`);
  }
  if (device !== undefined) {
    requireMethods("device", device, ["createBuffer", "createComputePipelineAsync"], "a GPUDevice");
    require(backend === "webgpu", () => `backend is "cpu", and a device is given; expected one of the two`);
    require(powerPreference === undefined, () => {
      return `powerPreference is ${show(powerPreference)}, and a device is given; expected one of the two: no device is requested`;
    });
  }
  const { tuningStore, onWarning } = options;
  if (tuningStore !== undefined) {
    requireMethods("tuningStore", tuningStore, ["load", "save"], "a store, such as memoryStore() gives");
  }
  require(onWarning === undefined || typeof onWarning === "function", () => {
    return `onWarning is ${show(onWarning)}; expected a function that takes a message`;
  });
}

function requireMethods(name: string, value: object, methods: readonly string[], expected: string): void {
  const fields = value as Readonly<Record<string, unknown>> | null;
  require(typeof value === "object" && methods.every((method) => typeof fields?.[method] === "function"), () => {
    return `${name} is ${show(value)}; expected ${expected}`;
  });
}

async function withTuning(
  backend: Backend,
  mode: TuneMode,
  { tuningStore: store, onWarning, development = false }: EngineOptions,
): Promise<Engine> {
  // eslint-disable-next-line no-console -- whoever gives no place for warnings should still see them
  const warn = onWarning ?? ((message: string) => console.warn(`webgpu-conv: ${message}`));
  const tuning = new Tuning(backend, { mode, store, warn });
  if (store) await tuning.load();
  return new Engine(new Context(new EngineCore(backend, tuning, development ? warn : undefined)));
}
