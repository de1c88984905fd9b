/** A WebGPU device as a backend: it prepares plans once, records operations and reads results back. */
import type { AdapterDescription, BackendMemory, CoreBackend, DeviceLoss, RoleStorages } from "../backend/backend.js";
import type { KernelVerdicts } from "../backend/kernelFault.js";
import type { Wait } from "../backend/wait.js";
import { adapterInfoOf, describeAdapter, isSoftware } from "../planning/adapter.js";
import { type Capabilities, readCapabilities } from "../planning/capabilities.js";
import type { SolverChoice } from "../planning/choice.js";
import type { DeviceClass } from "../planning/devices.js";
import type { DType, StoredValues } from "../problem/dtype.js";
import { type ConvOperation, keyOf } from "../problem/operation.js";
import type { Select, Selection } from "../solvers/choose.js";
import { type DeviceParts, disposeParts, makeParts, type PartOptions } from "./parts.js";
import type { Vetting } from "./pipelines/trial.js";
import { readBytes, readValues } from "./reads.js";
import { runOperation } from "./runOperation.js";
import { errorOf, type GpuStorage } from "./device/storage.js";
import { uploadValues } from "./uploads.js";

export interface GpuBackendOptions extends Omit<PartOptions, "vetting" | "pipelines"> {
  /** Whether `dispose` destroys the device. */
  readonly ownsDevice: boolean;
  /** The device's class as the caller says it; undefined where the adapter tells it. */
  readonly deviceClass?: DeviceClass | undefined;
  /** Of the adapter that the device was requested of; the device's own where that is not known. */
  readonly adapterInfo?: GPUAdapterInfo;
  /** What tries the kernels of a device on that adapter; undefined where nothing does. */
  readonly vet?: ((adapter: AdapterDescription) => Vetting) | undefined;
}

/** What every engine on a device needs. {@link GpuBackend} adds the rest. */
export class CoreGpuBackend implements CoreBackend<GpuStorage> {
  readonly adapter: AdapterDescription;
  readonly capabilities: Capabilities;
  readonly lost: Promise<DeviceLoss>;
  readonly #ownsDevice: boolean;
  protected readonly parts: DeviceParts;

  /** @param select chooses among the solvers of the operations that will be run */
  constructor(
    device: GPUDevice,
    { ownsDevice, deviceClass, adapterInfo, vet, ...options }: GpuBackendOptions,
    select: Select,
  ) {
    this.#ownsDevice = ownsDevice;
    this.capabilities = readCapabilities(device, deviceClass, adapterInfo);
    this.adapter = describe(device, this.capabilities, options.pieces !== undefined);
    this.lost = lossOf(device);
    this.parts = makeParts(device, this.capabilities, select, { ...options, vetting: vet?.(this.adapter) });
  }

  /** The device itself, for work beside the engine's. */
  get device(): GPUDevice {
    return this.parts.device;
  }

  get verdicts(): KernelVerdicts | undefined {
    return this.parts.vetting?.verdicts;
  }

  report(error: Error): void {
    this.parts.reports.report(error);
  }

  upload(values: StoredValues, shape: readonly number[], dtype: DType): GpuStorage {
    return uploadValues(this.parts, values, shape, dtype);
  }

  run(
    operation: ConvOperation,
    operands: RoleStorages<GpuStorage>,
    choice: SolverChoice | undefined,
    key = keyOf(operation),
  ): GpuStorage[] {
    return runOperation(this.parts, operation, operands, choice, key);
  }

  read(source: GpuStorage, wait?: Wait): Promise<Float32Array<ArrayBuffer>> {
    return readValues(this.parts, source, wait);
  }

  bytes(source: GpuStorage): Promise<ArrayBuffer> {
    return readBytes(this.parts, source);
  }

  async write(target: GpuStorage, values: StoredValues): Promise<void> {
    const { life, recorder } = this.parts;
    life.require();
    recorder.requireUsable(target);
    if (values.length > 0) recorder.upload(target, values);
    // What is called at once after this is submitted with it.
    await Promise.resolve();
    await this.submit();
    const error = errorOf(target);
    if (error) throw error;
  }

  binding(storage: GpuStorage): Required<GPUBufferBinding> {
    this.parts.pieces?.requireBindable(storage, this.capabilities, "binding()");
    const { pooled, bytes } = storage;
    storage.exposed = true;
    this.parts.packed.forget(storage);
    return { buffer: pooled.buffer, offset: pooled.offset, size: bytes };
  }

  release(storage: GpuStorage): void {
    const { packed, memory } = this.parts;
    if (storage.kept) return;
    storage.released = true;
    packed.forget(storage);
    memory.release(storage.pooled);
  }

  select(operation: ConvOperation, choice: SolverChoice | undefined): Selection {
    return this.parts.select(operation, this.capabilities, choice);
  }

  async submit(wait?: Wait): Promise<void> {
    const { life, recorder } = this.parts;
    await life.guard(async () => {
      life.require();
      await recorder.submit(undefined, wait && { wait });
      life.require();
    });
  }

  async finish(wait?: Wait): Promise<void> {
    const { device, life, recorder, reports } = this.parts;
    await this.submit(wait);
    await life.guard(async () => {
      await device.queue.onSubmittedWorkDone();
      await recorder.settled();
      await life.requireAlive();
    });
    reports.throwReported();
  }

  memory(): BackendMemory {
    const { life, pool, unused } = this.parts;
    if (life.disposed) return { liveBytes: 0, pooledBytes: 0 };
    return { liveBytes: pool.liveBytes - unused.bytes, pooledBytes: pool.pooledBytes };
  }

  dispose(): void {
    disposeParts(this.parts);
    if (this.#ownsDevice) this.device.destroy();
  }
}

/**
 * In Node the promise is never collected while the device lives: what waits for it must refer neither to an engine nor to the
 * device. The frame of an async function would.
 */
function lossOf({ lost }: GPUDevice): Promise<DeviceLoss> {
  return lost.then(({ reason, message }) => {
    return { reason: reason === "destroyed" ? reason : "unknown", message, recovered: undefined };
  });
}

function describe(device: GPUDevice, { limits }: Capabilities, inPieces: boolean): AdapterDescription {
  const { maxBufferSize, maxStorageBufferBindingSize } = limits;
  const info = adapterInfoOf(device);
  return {
    description: describeAdapter(info),
    backend: "webgpu",
    software: isSoftware(info),
    vendor: info.vendor,
    architecture: info.architecture,
    features: [...device.features],
    maxTensorBytes: inPieces ? maxBufferSize : Math.min(maxBufferSize, maxStorageBufferBindingSize),
  };
}
