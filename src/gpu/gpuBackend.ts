/** A WebGPU device as the backend of a whole engine: with images, clocks, and callers' buffers and encoders. */
import { type Backend, countSpecials, type Part, type SpecialValues, type Timing } from "../backend/backend.js";
import type { Wait } from "../backend/wait.js";
import { loadLazily } from "../base/lazy.js";
import type { FaultyPlans } from "../planning/solver.js";
import type { TensorOperation } from "../planning/tensorOperation.js";
import type { StoredValues } from "../problem/dtype.js";
import type { ImageSize, ImageSource, PixelOrder, Pixels } from "../problem/pixels.js";
import { select } from "../solvers/select.js";
import { CoreGpuBackend, type GpuBackendOptions } from "./coreBackend.js";
import { countOnDevice } from "./countSpecials.js";
import { pixelOrder } from "./images.js";
import { readPixels, uploadImages } from "./imageTransfers.js";
import { GpuInterop } from "./interop.js";
import { type GpuStorage, requireReadable, requireWritable } from "./device/storage.js";
import { runTensorOperation } from "./runTensorOperation.js";
import type { Timer } from "./timer.js";

export class GpuBackend extends CoreGpuBackend implements Backend<GpuStorage> {
  readonly interop: GpuInterop;
  /** Loaded when something is timed. */
  #timer: Timer | undefined;

  constructor(device: GPUDevice, options: GpuBackendOptions) {
    super(device, options, select);
    this.interop = new GpuInterop(this.parts);
  }

  get faulty(): FaultyPlans | undefined {
    return this.parts.vetting;
  }

  runTensors(operation: TensorOperation, operands: Readonly<Record<string, GpuStorage>>): GpuStorage[] {
    return runTensorOperation(this.parts, operation, operands);
  }

  view(storage: GpuStorage, part: Part): GpuStorage {
    return part.onDevice(storage, part) as GpuStorage;
  }

  pixelOrder(image: ImageSource): PixelOrder {
    return pixelOrder(image);
  }

  uploadImages(images: readonly ImageSource[], size: ImageSize, pixels: Pixels): GpuStorage {
    return uploadImages(this.parts, images, size, pixels);
  }

  override async read(source: GpuStorage, wait?: Wait): Promise<Float32Array<ArrayBuffer>> {
    requireReadable(source);
    return source.pixels ? await readPixels(this.parts, source, source.pixels) : await super.read(source, wait);
  }

  override async write(target: GpuStorage, values: StoredValues): Promise<void> {
    requireWritable(target);
    await super.write(target, values);
  }

  async check(storage: GpuStorage): Promise<SpecialValues> {
    return await this.parts.life.guard(() => this.#check(storage));
  }

  async #check(storage: GpuStorage): Promise<SpecialValues> {
    this.parts.life.require();
    // Pixels are finite bytes. Only their normalisation can make special values.
    if (storage.pixels || storage.size === 0) return countSpecials(await this.read(storage));
    return await countOnDevice(this.parts, storage, (counts) => this.release(counts));
  }

  async time(record: () => void): Promise<Timing> {
    const { Timer } = await loadLazily("what times", () => import("./timer.js"));
    this.parts.life.require();
    this.#timer ??= new Timer(this.parts);
    return await this.#timer.time(record, () => this.finish());
  }

  trim(storages: readonly GpuStorage[]): void {
    const { life, packed, pool, readback } = this.parts;
    if (life.disposed) return;
    for (const storage of storages) packed.forget(storage);
    pool.trim();
    readback.trim();
  }

  override dispose(): void {
    this.#timer?.dispose();
    super.dispose();
  }
}
