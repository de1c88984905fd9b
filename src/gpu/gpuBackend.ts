/** A WebGPU device as a backend: plans prepared once, operations recorded, results read back. */
import {
  type AdapterDescription,
  type Backend,
  type BackendMemory,
  countSpecials,
  type RoleStorages,
  type SpecialValues,
  type Timing,
} from "../backend/backend.js";
import { decode, type DType, type StoredValues } from "../problem/dtype.js";
import { entriesOf } from "../base/entries.js";
import { DeviceError } from "../base/errors.js";
import { type ConvOperation, keyOf, resultRoles, shapeOfRole } from "../problem/operation.js";
import type { SolverChoice } from "../planning/choice.js";
import { decodePixels, type ImageSize, type ImageSource, type PixelOrder, type Pixels } from "../problem/pixels.js";
import { select, type Selection } from "../solvers/select.js";
import type { Scratch, SolverPlan } from "../planning/solver.js";
import { BufferPool, type PooledBuffer } from "./bufferPool.js";
import { adapterInfoOf, describeAdapter, isSoftware } from "../planning/adapter.js";
import { type Capabilities, readCapabilities } from "../planning/capabilities.js";
import type { DeviceClass } from "../planning/devices.js";
import { pixelOrder, writeImage } from "./images.js";
import { GpuInterop } from "./interop.js";
import type { Labels } from "./labels.js";
import { PipelineCache } from "./pipelineCache.js";
import { type OperationBuffers, type PreparedPlan } from "./prepared.js";
import { failStorage, type GpuStorage, type PackedForm, type RecordedDispatch } from "./batch.js";
import { DeviceLife } from "./deviceLife.js";
import { DeviceMemory } from "./memory.js";
import { PackedWeights } from "./packedWeights.js";
import { PlanCache } from "./planCache.js";
import { Recorder } from "./recorder.js";
import { ReadbackRing, type Staging } from "./readback.js";
import { COUNT_WORDS, planSpecials, readSpecials } from "./countSpecials.js";
import { TimestampTimer } from "./timer.js";

const WORD_BYTES = 4;
/** Bound in place of tensors that a kernel declares but does not touch. */
const UNUSED_BYTES = 256;
export interface GpuBackendOptions {
  /** Whether `dispose` destroys the device. */
  readonly ownsDevice: boolean;
  /** How much device memory may wait unused for later tensors. */
  readonly poolBytes: number;
  /** Whether results and workspace are filled with NaN before use. */
  readonly poison: boolean;
  /** Names for what a profiler shows; undefined where none looks. */
  readonly labels?: Labels | undefined;
  /** The class that the caller says the device is of; undefined where the adapter is to tell. */
  readonly deviceClass?: DeviceClass | undefined;
}

export class GpuBackend implements Backend<GpuStorage> {
  readonly adapter: AdapterDescription;
  readonly interop: GpuInterop;
  readonly capabilities: Capabilities;
  readonly #device: GPUDevice;
  readonly #ownsDevice: boolean;
  readonly #pool: BufferPool;
  readonly #pipelines: PipelineCache;
  readonly #recorder: Recorder;
  readonly #memory: DeviceMemory;
  readonly #packed: PackedWeights;
  readonly #readback: ReadbackRing;
  readonly #timer: TimestampTimer | undefined;
  readonly #unused: PooledBuffer;
  readonly #plans: PlanCache;
  readonly #labels: Labels | undefined;
  /** The first error the device reported since it was last asked. */
  #reported: Error | undefined;
  readonly #life: DeviceLife;
  readonly #onError: (event: GPUUncapturedErrorEvent) => void;

  constructor(device: GPUDevice, { ownsDevice, poolBytes, poison, labels, deviceClass }: GpuBackendOptions) {
    this.#device = device;
    this.#labels = labels;
    this.#ownsDevice = ownsDevice;
    this.capabilities = readCapabilities(device, deviceClass);
    this.#pool = new BufferPool(device, poolBytes);
    this.#pipelines = new PipelineCache(device);
    this.#plans = new PlanCache(device, this.#pipelines, this.#pool.allocator);
    this.#recorder = new Recorder(device, this.#pool, (error) => this.#onFailure(error));
    this.#memory = new DeviceMemory(this.#pool, this.#recorder, poison);
    this.#packed = new PackedWeights(this.#memory, this.#recorder, poolBytes);
    this.#readback = new ReadbackRing(this.#pool.allocator);
    this.#life = new DeviceLife(device, this.#readback);
    this.#pool.allocator.makeRoom = () => {
      this.#pool.trim();
      this.#readback.trim();
    };
    this.#timer = this.capabilities.timestamps ? new TimestampTimer(device, this.#readback) : undefined;
    this.#unused = this.#pool.acquire(UNUSED_BYTES);
    this.adapter = describe(device, this.capabilities);
    this.interop = new GpuInterop(device, this.#pool, this.#recorder, this.#life, (storage) =>
      this.#packed.forget(storage),
    );
    this.#onError = listenerFor(new WeakRef(this));
    device.addEventListener("uncapturederror", this.#onError);
  }

  /** The device itself, for work beside the engine's. */
  get device(): GPUDevice {
    return this.#device;
  }

  #onFailure(error: Error): void {
    this.report(error);
    this.#packed.distrust();
  }

  /** Told of errors that no error scope caught. */
  onUncaptured({ message }: GPUError): void {
    this.#onFailure(new DeviceError(`the device reported: ${message}`));
  }

  report(error: Error): void {
    this.#reported ??= error;
  }

  upload(values: StoredValues, shape: readonly number[], dtype: DType): GpuStorage {
    this.#life.require();
    const storage = this.#memory.allocate(shape, dtype, "host");
    this.#labels?.nameUploaded(storage);
    // An empty batch has no values, and Deno panics at an empty write.
    if (values.length === 0) return storage;
    // They may be the caller's own, and must not change before the buffer has arrived.
    this.#pool.write(storage.pooled, storage.pooled.arriving ? values.slice() : values);
    return storage;
  }

  pixelOrder(image: ImageSource): PixelOrder {
    return pixelOrder(image);
  }

  uploadImages(images: readonly ImageSource[], size: ImageSize, pixels: Pixels): GpuStorage {
    this.#life.require();
    const words = this.#memory.allocate([images.length, pixels.positions], "float32", "host");
    const storage: GpuStorage = { ...words, pixels };
    this.#labels?.nameUploaded(storage);
    const { buffer, arriving } = storage.pooled;
    const imageBytes = WORD_BYTES * pixels.positions;
    storage.pooled.late = undefined;
    try {
      this.#recorder.writeNow(storage, () => {
        images.forEach((image, i) => writeImage(this.#device, image, size, buffer, i * imageBytes));
      });
      // The source may be gone by the time that a buffer is made once more.
      void arriving?.then(() => {
        if (storage.pooled.buffer !== buffer) failStorage(storage, new DeviceError("out of memory for an image"));
      });
    } catch (error) {
      this.release(storage);
      throw error;
    }
    return storage;
  }

  run(
    operation: ConvOperation,
    operands: RoleStorages<GpuStorage>,
    choice: SolverChoice | undefined,
    key = keyOf(operation),
  ): GpuStorage[] {
    this.#life.require();
    const reads = Object.values(operands);
    for (const storage of reads) this.#recorder.requireUsable(storage);
    const labels = this.#labels;
    const label = labels && (() => labels.ofOperation(operation));
    const planKey = choice === undefined ? key : `${key} ${JSON.stringify(choice)}`;
    const prepared = this.#prepare(planKey, () => this.select(operation, choice).plan, label);
    const buffers: OperationBuffers = { unused: this.#unused };
    for (const [role, { pooled }] of entriesOf(operands)) buffers[role] = pooled;
    const packed = this.#packWeights(prepared, operation, operands.w, buffers);
    for (const [name, storage] of packed?.storages ?? []) {
      buffers[name] = storage.pooled;
      reads.push(storage);
    }
    const scratch: PooledBuffer[] = [];
    const writes: GpuStorage[] = [];
    let dispatches: RecordedDispatch[];
    try {
      this.#acquireScratch(packed ? prepared.scratchOncePacked : prepared.scratch, buffers, scratch);
      for (const role of resultRoles(operation)) {
        const storage = this.#memory.allocate(shapeOfRole(operation, role), operation.dtype, "device");
        buffers[role] = storage.pooled;
        writes.push(storage);
      }
      dispatches = packed ? prepared.bindOncePacked(buffers) : prepared.bind(buffers);
    } catch (error) {
      for (const pooled of [...scratch, ...writes.map((storage) => storage.pooled)]) this.#recorder.release(pooled);
      throw error;
    }
    labels?.nameBuffers(buffers, operation);
    this.#recorder.expect(this.#unused);
    this.#recorder.record({ dispatches, reads, writes, label: prepared.label });
    for (const pooled of scratch) this.#recorder.release(pooled);
    return writes;
  }

  #prepare(key: string, makePlan: () => SolverPlan, label: (() => string) | undefined): PreparedPlan {
    return this.#life.attempt(() => this.#plans.get(key, makePlan, label));
  }

  /** Weights in the form that the plan reads, packed now if need be; undefined where the plan does it all by itself. */
  #packWeights(
    prepared: PreparedPlan,
    operation: ConvOperation,
    weights: GpuStorage | undefined,
    operandBuffers: OperationBuffers,
  ): PackedForm | undefined {
    const { packing } = prepared;
    if (!packing || !weights) return undefined;
    return this.#packed.use(weights, packing, (form) => {
      const buffers = { ...operandBuffers };
      for (const [name, { pooled }] of form.storages) buffers[name] = pooled;
      const between: PooledBuffer[] = [];
      this.#acquireScratch(packing.between, buffers, between);
      const dispatches = prepared.bindPacking(buffers);
      this.#labels?.nameBuffers(buffers, operation);
      const writes = [...form.storages.values()];
      this.#recorder.record({ dispatches, reads: [weights], writes, packs: form, label: prepared.label });
      for (const pooled of between) this.#recorder.release(pooled);
    });
  }

  /** @param taken gets what was acquired, even where not all of it could be */
  #acquireScratch(scratch: Scratch, buffers: OperationBuffers, taken: PooledBuffer[]): void {
    for (const [name, bytes] of entriesOf(scratch)) {
      taken.push((buffers[name] = this.#memory.acquire(bytes, "device")));
    }
  }

  async read(source: GpuStorage): Promise<Float32Array<ArrayBuffer>> {
    this.interop.requireReadable(source);
    this.#life.require();
    if (source.size === 0) return new Float32Array(0);
    const bytes = await this.#readBytes(source);
    if (source.pixels) return decodePixels(new Uint8Array(bytes), source.pixels);
    return decode(bytes, source.size, source.dtype);
  }

  async check(storage: GpuStorage): Promise<SpecialValues> {
    return await this.#life.guard(() => this.#check(storage));
  }

  async #check(storage: GpuStorage): Promise<SpecialValues> {
    this.#life.require();
    // Pixels are bytes, which are finite. Only their normalisation can make special values.
    if (storage.pixels || storage.size === 0) return countSpecials(await this.read(storage));
    const { pooled, size, dtype } = storage;
    this.#recorder.requireUsable(storage);
    const makePlan = (): SolverPlan => planSpecials(size, dtype, this.capabilities);
    const label = this.#labels && (() => `check of ${String(size)} values in ${dtype}`);
    const prepared = this.#prepare(`specials ${dtype} ${String(size)}`, makePlan, label);
    const counts = this.#memory.allocate([COUNT_WORDS], "float32", "host");
    this.#pool.write(counts.pooled, new Uint32Array(COUNT_WORDS));
    const dispatches = prepared.bind({ x: pooled, y: counts.pooled });
    this.#recorder.record({ dispatches, reads: [storage], writes: [counts], label: prepared.label });
    const bytes = this.#readBytes(counts);
    this.release(counts);
    return readSpecials(await bytes, dtype);
  }

  async #readBytes(source: GpuStorage): Promise<ArrayBuffer> {
    return await this.#life.guard(async () => {
      this.#life.require();
      this.#recorder.requireUsable(source);
      const staging = this.#readback.acquire(source.bytes);
      const outcome = this.#copyOut(source, staging);
      await this.#recorder.flush();
      this.#life.require();
      const taking = this.#readback.take(staging, source.bytes);
      // Mapping may fail as well, and the error of the copy is then the one to throw.
      taking.catch(() => undefined);
      const error = await outcome;
      if (error) throw error;
      return await taking;
    });
  }

  #copyOut(source: GpuStorage, staging: Staging): Promise<DeviceError | undefined> {
    try {
      return this.#recorder.copy(source, staging);
    } catch (error) {
      this.#readback.release(staging);
      throw error;
    }
  }

  async write(target: GpuStorage, values: StoredValues): Promise<void> {
    this.#life.require();
    this.#recorder.requireUsable(target);
    this.interop.requireWritable(target);
    if (values.length > 0) this.#recorder.upload(target, values);
    await this.submit();
  }

  release(storage: GpuStorage): void {
    storage.released = true;
    this.#packed.forget(storage);
    this.#recorder.release(storage.pooled);
  }

  select(operation: ConvOperation, choice: SolverChoice | undefined): Selection {
    return select(operation, this.capabilities, choice);
  }

  async submit(): Promise<void> {
    await this.#life.guard(async () => {
      this.#life.require();
      await this.#recorder.submit();
      this.#life.require();
    });
  }

  async finish(): Promise<void> {
    await this.submit();
    await this.#life.guard(async () => {
      await this.#device.queue.onSubmittedWorkDone();
      await this.#recorder.settled();
      await this.#life.requireAlive();
    });
    this.#throwReported();
  }

  async time(record: () => void): Promise<Timing> {
    await this.finish();
    const start = performance.now();
    const stamped = await this.#life.guard(() => this.#timeSubmission(record));
    await this.finish();
    // Timestamps may be quantised to nothing, or reset between the two: then the wall clock must do.
    if (stamped !== undefined && stamped > 0) return { milliseconds: stamped, clock: "timestamp" };
    return { milliseconds: performance.now() - start, clock: "wall-clock" };
  }

  /** In milliseconds, by the device's own clock; undefined where it has none. */
  async #timeSubmission(record: () => void): Promise<number | undefined> {
    const stamps = this.#timer?.start();
    try {
      this.#recorder.hold(record);
    } catch (error) {
      stamps?.cancel();
      throw error;
    }
    await this.#recorder.submit(stamps?.timing);
    return await stamps?.milliseconds();
  }

  memory(): BackendMemory {
    if (this.#life.disposed) return { liveBytes: 0, pooledBytes: 0 };
    return { liveBytes: this.#pool.liveBytes - this.#unused.bytes, pooledBytes: this.#pool.pooledBytes };
  }

  dispose(): void {
    this.#life.dispose();
    this.#device.removeEventListener("uncapturederror", this.#onError);
    this.#recorder.dispose();
    this.#plans.dispose();
    this.#timer?.dispose();
    this.#readback.dispose();
    this.#pool.dispose();
    if (this.#ownsDevice) this.#device.destroy();
  }

  #throwReported(): void {
    const reported = this.#reported;
    this.#reported = undefined;
    if (reported) throw reported;
  }
}

/** What listens to a device, in Node outside of what can be collected: it must not lead to an engine, or to the device. */
function listenerFor(backend: WeakRef<GpuBackend>): (event: GPUUncapturedErrorEvent) => void {
  return ({ error }) => backend.deref()?.onUncaptured(error);
}

function describe(device: GPUDevice, { limits }: Capabilities): AdapterDescription {
  const info = adapterInfoOf(device);
  return {
    description: describeAdapter(info),
    backend: "webgpu",
    software: isSoftware(info),
    vendor: info.vendor,
    architecture: info.architecture,
    features: [...device.features],
    maxTensorBytes: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize),
  };
}
