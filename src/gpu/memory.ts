/** Memory for tensors and workspace: where it comes from, and what is in it at first. */
import { BYTES_PER_ELEMENT, type DType } from "../dtype.js";
import { type GpuStorage, makeStorage } from "./batch.js";
import type { BufferPool, PooledBuffer } from "./bufferPool.js";
import type { Recorder } from "./recorder.js";

const WORD_BYTES = 4;

/** What writes new memory first: work that is recorded from now on, or the host. */
export type Writer = "device" | "host";

export class DeviceMemory {
  readonly #device: GPUDevice;
  readonly #pool: BufferPool;
  readonly #recorder: Recorder;
  readonly #poison: boolean;

  /** @param poison whether memory is filled with NaN before use */
  constructor(device: GPUDevice, pool: BufferPool, recorder: Recorder, poison: boolean) {
    this.#device = device;
    this.#pool = pool;
    this.#recorder = recorder;
    this.#poison = poison;
  }

  /** Memory of a tensor of `size` values. */
  allocate(size: number, dtype: DType, writer: Writer): GpuStorage {
    const bytes = WORD_BYTES * Math.ceil((size * BYTES_PER_ELEMENT[dtype]) / WORD_BYTES);
    return makeStorage(this.acquire(bytes, writer), dtype, size, bytes);
  }

  acquire(bytes: number, writer: Writer): PooledBuffer {
    // The host poisons at once: memory that recorded work still uses will not do.
    const pooled = writer === "device" ? this.#recorder.acquire(bytes, !this.#poison) : this.#pool.acquire(bytes);
    if (this.#poison)
      this.#device.queue.writeBuffer(pooled.buffer, 0, new Float32Array(pooled.bytes / WORD_BYTES).fill(NaN));
    return pooled;
  }
}
