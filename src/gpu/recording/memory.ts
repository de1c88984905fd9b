/**
 * Memory for tensors and workspace: where it comes from, what it first holds, and where it goes.
 *
 * Kernels of a batch run in order, so an operation may write over what earlier ones are done with. The pool gets memory back
 * once the work that uses it is submitted. While a caller's encoder is open nothing changes hands: its work may run later than
 * all that is recorded by then.
 */
import type { DType } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import type { Batch } from "./batch.js";
import type { BufferPool, PooledBuffer } from "../device/bufferPool.js";
import type { OpenBatch } from "./openBatch.js";
import { OpenEncoders } from "./openEncoders.js";
import { bytesOfValues, type GpuStorage, makeStorage } from "../device/storage.js";
import type { SubmitQueue } from "./submitQueue.js";

const WORD_BYTES = 4;

/** What writes new memory first: work that is recorded from now on, or the host. */
export type Writer = "device" | "host";

export interface MemoryOptions {
  /** Whether memory is filled with NaN before use. */
  readonly poison: boolean;
  /** Called after memory was released to the open batch. */
  readonly onReleased: () => void;
}

export class DeviceMemory {
  readonly #pool: BufferPool;
  readonly #open: OpenBatch;
  readonly #queue: SubmitQueue;
  readonly #encoders = new OpenEncoders();
  readonly #options: MemoryOptions;

  constructor(pool: BufferPool, open: OpenBatch, queue: SubmitQueue, options: MemoryOptions) {
    this.#pool = pool;
    this.#open = open;
    this.#queue = queue;
    this.#options = options;
  }

  /** Memory of a tensor of that shape. */
  allocate(shape: readonly number[], dtype: DType, writer: Writer): GpuStorage {
    return makeStorage(this.acquire(bytesOfValues(product(shape), dtype), writer), dtype, shape);
  }

  /** @param most bytes that the buffer may have, where a larger one is free; those of its class when absent */
  acquire(bytes: number, writer: Writer, most?: number): PooledBuffer {
    const { poison } = this.#options;
    // The host poisons at once, so it must not get memory that recorded work still uses.
    const spare = writer === "device" && !poison ? this.#takeSpare(this.#pool.classBytes(bytes), most) : undefined;
    const pooled = spare ?? this.#pool.acquire(bytes, most);
    if (writer === "device") {
      const { batch } = this.#open;
      batch.acquired.add(pooled);
      batch.expect(pooled);
    }
    if (poison) this.#pool.write(pooled, new Float32Array(pooled.bytes / WORD_BYTES).fill(NaN));
    return pooled;
  }

  /** A buffer that the open batch is done with, or one that is queued before it. */
  #takeSpare(classBytes: number, most?: number): PooledBuffer | undefined {
    const own = this.#open.batch.takeSpare(classBytes, most);
    if (own) return own;
    if (!this.#open.isForQueue || this.#encoders.any) return undefined;
    for (const batch of this.#queue.queued) {
      const pooled = batch.takeSpare(classBytes);
      if (pooled) return pooled;
    }
    return undefined;
  }

  /**
   * Takes memory back that everything recorded so far may still use: later operations of the batch may write over it, and
   * the pool gets it once the batch is submitted.
   */
  release(pooled: PooledBuffer): void {
    const { batch, isForQueue } = this.#open;
    if (batch.acquired.has(pooled) && (!isForQueue || !this.#encoders.any)) {
      batch.addSpare(pooled);
    } else if (this.afterwards(() => this.#pool.release(pooled))) {
      return;
    }
    batch.releasedBytes += pooled.bytes;
    this.#options.onReleased();
  }

  /** Takes memory back once the open batch is done with it: a sequence, when it is forgotten. */
  releaseWithBatch(pooled: PooledBuffer): void {
    this.afterBatch(() => this.#pool.release(pooled));
  }

  /** Calls `action` once the open batch is submitted or forgotten. */
  afterBatch(action: () => void): void {
    this.#open.batch.afterwards.push(action);
  }

  /** Calls `action` as soon as everything recorded so far is submitted. Returns whether that was at once. */
  afterwards(action: () => void): boolean {
    if (this.#encoders.any) {
      this.#encoders.defer(action);
      return false;
    }
    const { batch } = this.#open;
    if (batch.isEmpty && !this.#queue.waiting) {
      action();
      return true;
    }
    batch.afterwards.push(action);
    return false;
  }

  /** Gives back what a batch of its own holds, as soon as everything recorded so far is submitted. */
  forget(batch: Batch): void {
    batch.settle(this.#pool, (action) => this.afterwards(action));
  }

  /** A caller's encoder is about to hold work of the engine. */
  openEncoder(): void {
    this.#encoders.open();
  }

  /** Gives back what the batch of a caller's encoder holds, which was submitted or given up, once no encoder is open. */
  closeEncoder(batch: Batch): void {
    batch.settle(this.#pool, (action) => this.#encoders.defer(action));
    for (const action of this.#encoders.close()) this.afterwards(action);
  }
}
