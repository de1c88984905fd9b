/** Mappable buffers for reading results back. Later reads use them again. */
import type { Allocation, Allocator } from "./allocation.js";
import { sizeClass } from "./bufferPool.js";
import { disposedError } from "./deviceErrors.js";

/** How much unused staging memory is kept. */
const KEPT_BYTES = 2 ** 26;

/** A buffer that the device copies to and the host maps. */
export type Staging = Allocation & { readonly bytes: number };

export class ReadbackRing {
  readonly #allocator: Allocator;
  readonly #mostBytes: number;
  #free: Staging[] = [];
  readonly #taken = new Set<Staging>();
  #keptBytes = 0;

  /** @param mostBytes of a buffer */
  constructor(allocator: Allocator, mostBytes = Infinity) {
    this.#allocator = allocator;
    this.#mostBytes = mostBytes;
  }

  /** A buffer of at least `bytes` that the device can copy to, once it has arrived. */
  acquire(bytes: number): Staging {
    const size = Math.min(sizeClass(bytes), Math.max(bytes, this.#mostBytes));
    const staging = this.#takeFree(size) ?? this.#create(size);
    this.#taken.add(staging);
    return staging;
  }

  #takeFree(size: number): Staging | undefined {
    const index = this.#free.findIndex(({ bytes }) => bytes === size);
    if (index < 0) return undefined;
    this.#keptBytes -= size;
    return this.#free.splice(index, 1)[0];
  }

  #create(size: number): Staging {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return this.#allocator.allocate({ bytes: size }, { label: "webgpu-conv readback", size, usage });
  }

  /** Waits for the submitted copy and returns `bytes` of it. The buffer goes back to the ring. */
  async take(staging: Staging, bytes: number): Promise<ArrayBuffer> {
    await staging.arriving;
    const { buffer, error: refused } = staging;
    if (refused) {
      this.release(staging);
      throw refused;
    }
    // The engine was disposed of meanwhile.
    if (!this.#taken.has(staging)) throw disposedError();
    try {
      await buffer.mapAsync(GPUMapMode.READ, 0, bytes);
    } catch (error) {
      this.#taken.delete(staging);
      buffer.destroy();
      throw error;
    }
    const values = buffer.getMappedRange(0, bytes).slice(0);
    buffer.unmap();
    this.release(staging);
    return values;
  }

  /** Takes back a buffer that is neither mapped nor waiting for a copy. */
  release(staging: Staging): void {
    this.#taken.delete(staging);
    if (staging.error || this.#keptBytes + staging.bytes > KEPT_BYTES) {
      staging.buffer.destroy();
      return;
    }
    this.#keptBytes += staging.bytes;
    this.#free.push(staging);
  }

  /** Destroys the unused buffers. */
  trim(): void {
    for (const { buffer } of this.#free) buffer.destroy();
    this.#free = [];
    this.#keptBytes = 0;
  }

  /** Destroys every buffer. Reads that wait reject. */
  dispose(): void {
    this.trim();
    for (const { buffer } of this.#taken) buffer.destroy();
    this.#taken.clear();
  }
}
