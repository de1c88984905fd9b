/** Memory for tensors and workspace: where it comes from, and what is in it at first. */
import type { DType } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import { bytesOfValues, type GpuStorage, makeStorage } from "./storage.js";
import type { BufferPool, PooledBuffer } from "./bufferPool.js";
import type { Recorder } from "./recorder.js";

const WORD_BYTES = 4;

/** What writes new memory first: work that is recorded from now on, or the host. */
export type Writer = "device" | "host";

export class DeviceMemory {
  readonly #pool: BufferPool;
  readonly #recorder: Recorder;
  readonly #poison: boolean;

  /** @param poison whether memory is filled with NaN before use */
  constructor(pool: BufferPool, recorder: Recorder, poison: boolean) {
    this.#pool = pool;
    this.#recorder = recorder;
    this.#poison = poison;
  }

  /** Memory of a tensor of that shape. */
  allocate(shape: readonly number[], dtype: DType, writer: Writer): GpuStorage {
    return makeStorage(this.acquire(bytesOfValues(product(shape), dtype), writer), dtype, shape);
  }

  acquire(bytes: number, writer: Writer): PooledBuffer {
    // The host poisons at once: memory that recorded work still uses will not do.
    const pooled = writer === "device" ? this.#recorder.acquire(bytes, !this.#poison) : this.#pool.acquire(bytes);
    if (this.#poison) this.#pool.write(pooled, new Float32Array(pooled.bytes / WORD_BYTES).fill(NaN));
    return pooled;
  }
}
