/** Mappable buffers for reading results back, used again from one read to the next. */
import { sizeClass } from "./bufferPool.js";

/** How much staging memory may wait unused. */
const KEPT_BYTES = 2 ** 26;

export class ReadbackRing {
  readonly #device: GPUDevice;
  #free: GPUBuffer[] = [];
  readonly #taken = new Set<GPUBuffer>();
  #keptBytes = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A buffer of at least `bytes` that the device can copy to. */
  acquire(bytes: number): GPUBuffer {
    const size = sizeClass(bytes);
    const buffer = this.#takeFree(size) ?? this.#create(size);
    this.#taken.add(buffer);
    return buffer;
  }

  #takeFree(size: number): GPUBuffer | undefined {
    const index = this.#free.findIndex((buffer) => buffer.size === size);
    if (index < 0) return undefined;
    this.#keptBytes -= size;
    return this.#free.splice(index, 1)[0];
  }

  #create(size: number): GPUBuffer {
    return this.#device.createBuffer({
      label: "webgpu-conv readback",
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }

  /** Waits for the copy that was submitted and takes `bytes` out. The buffer goes back to the ring. */
  async take(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    try {
      await buffer.mapAsync(GPUMapMode.READ, 0, bytes);
    } catch (error) {
      this.#taken.delete(buffer);
      buffer.destroy();
      throw error;
    }
    const values = buffer.getMappedRange(0, bytes).slice(0);
    buffer.unmap();
    this.release(buffer);
    return values;
  }

  /** Gives a buffer back that is not mapped and waits for no copy. */
  release(buffer: GPUBuffer): void {
    this.#taken.delete(buffer);
    if (this.#keptBytes + buffer.size > KEPT_BYTES) {
      buffer.destroy();
      return;
    }
    this.#keptBytes += buffer.size;
    this.#free.push(buffer);
  }

  /** Destroys every buffer; reads that wait reject. */
  dispose(): void {
    for (const buffer of [...this.#free, ...this.#taken]) buffer.destroy();
    this.#taken.clear();
    this.#free = [];
    this.#keptBytes = 0;
  }
}
