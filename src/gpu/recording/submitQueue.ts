/** Batches on their way to the device. They are submitted in the order of recording, whichever becomes ready first. */
import type { DeviceError } from "../../base/errors.js";
import type { Batch } from "./batch.js";
import type { BufferPool } from "../device/bufferPool.js";
import { disposedError } from "../device/deviceErrors.js";
import { type BatchTiming, segmentsOf } from "./segments.js";
import { Submissions } from "./submissions.js";

export class SubmitQueue {
  readonly submissions: Submissions;
  readonly #pool: BufferPool;
  /** Batches that wait for kernels or buffers. */
  readonly #queued: Batch[] = [];
  #waiting: Promise<void> | undefined;
  #disposed = false;

  /** @param onFailure told of operations and submissions that fail */
  constructor(device: GPUDevice, pool: BufferPool, onFailure: (error: DeviceError) => void) {
    this.#pool = pool;
    this.submissions = new Submissions(device, onFailure);
  }

  /** Batches that are not submitted yet. */
  get queued(): readonly Batch[] {
    return this.#queued;
  }

  /** Resolves, never rejects, once all batches are submitted; undefined where none waits. */
  get waiting(): Promise<void> | undefined {
    return this.#waiting;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Submits a batch after those before it, at once where all is ready. */
  push(batch: Batch, timing: BatchTiming | undefined): void {
    if (!this.#waiting && batch.isReady) {
      this.#submit(batch, timing);
      return;
    }
    this.#queued.push(batch);
    const waiting = this.#submitWhenReady(batch, timing, this.#waiting).then(() => {
      if (this.#waiting === waiting) this.#waiting = undefined;
    });
    this.#waiting = waiting;
  }

  /** From here on nothing is submitted, not even batches that wait for their kernels: their memory goes. */
  dispose(): void {
    this.#disposed = true;
    for (const batch of this.#queued) batch.abandon(disposedError());
  }

  async #submitWhenReady(
    batch: Batch,
    timing: BatchTiming | undefined,
    earlier: Promise<void> | undefined,
  ): Promise<void> {
    await earlier;
    await batch.ready();
    if (this.#disposed) return;
    this.#queued.shift();
    this.#submit(batch, timing);
  }

  #submit(batch: Batch, timing: BatchTiming | undefined): void {
    for (const segment of segmentsOf(batch, timing)) this.submissions.submit(segment);
    batch.settle(this.#pool);
  }
}
