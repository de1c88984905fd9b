/** Mappable buffers for reading results back, used again from one read to the next. */
import { sizeClass } from "./bufferPool.js";

/** How much staging memory may wait unused. */
const KEPT_BYTES = 2 ** 26;

export class ReadbackRing {
  readonly #device: GPUDevice;
  #free: GPUBuffer[] = [];
  #keptBytes = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A buffer of at least `bytes` that the device can copy to. */
  acquire(bytes: number): GPUBuffer {
    const size = sizeClass(bytes);
    const index = this.#free.findIndex((buffer) => buffer.size === size);
    if (index >= 0) {
      this.#keptBytes -= size;
      return this.#free.splice(index, 1)[0];
    }
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
    if (this.#keptBytes + buffer.size > KEPT_BYTES) {
      buffer.destroy();
      return;
    }
    this.#keptBytes += buffer.size;
    this.#free.push(buffer);
  }

  dispose(): void {
    for (const buffer of this.#free) buffer.destroy();
    this.#free = [];
    this.#keptBytes = 0;
  }
}
