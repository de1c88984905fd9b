/** Makes an engine from a GPU object, wherever that comes from. */
import { CpuBackend } from "./cpuBackend.js";
import { Engine } from "./engine.js";
import { DeviceError, require, show } from "./errors.js";
import { deviceRequest } from "./gpu/capabilities.js";
import { GpuBackend } from "./gpu/gpuBackend.js";

export interface EngineOptions {
  /**
   * "webgpu" (default) or "cpu". The CPU backend is the float64 reference behind the same methods: slow, for
   * pages without WebGPU. It is never chosen unless asked for.
   */
  readonly backend?: "webgpu" | "cpu";
  /** Run on this device instead of requesting one. The caller keeps it: `dispose` does not destroy it. */
  readonly device?: GPUDevice;
  /** Which adapter to prefer where there are several; "high-performance" when absent. */
  readonly powerPreference?: GPUPowerPreference;
  /** Device memory that may wait unused for later tensors, in bytes; 512 MiB when absent. */
  readonly poolBytes?: number;
  /**
   * For tests and debugging: fills the memory of every result with NaN before the kernels run, so that an
   * element that none of them writes shows. Costs an upload an operation.
   */
  readonly poison?: boolean;
}

const POOL_BYTES = 2 ** 29;

/** Says what is missing and what would help, in the words of the platform at hand. */
export interface Platform {
  readonly gpu: GPU | undefined;
  readonly missing: string;
}

export async function makeEngine(options: EngineOptions, findPlatform: () => Promise<Platform>): Promise<Engine> {
  const { backend = "webgpu", poolBytes = POOL_BYTES, poison = false } = options;
  require(["webgpu", "cpu"].includes(backend), () => `backend is ${show(backend)}; expected "webgpu" or "cpu"`);
  if (backend === "cpu") return new Engine(new CpuBackend());
  if (options.device) return new Engine(new GpuBackend(options.device, { ownsDevice: false, poolBytes, poison }));
  const { gpu, missing } = await findPlatform();
  const powerPreference = options.powerPreference ?? "high-performance";
  if (!gpu) throw new DeviceError(missing);
  const adapter = (await gpu.requestAdapter({ powerPreference })) ?? (await gpu.requestAdapter());
  if (!adapter) throw new DeviceError(missing);
  const device = await adapter.requestDevice(deviceRequest(adapter));
  return new Engine(new GpuBackend(device, { ownsDevice: true, poolBytes, poison, instance: gpu }));
}
