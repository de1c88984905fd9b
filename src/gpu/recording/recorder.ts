/**
 * Collects operations and submits many at once: one encoder, one compute pass, one submit.
 *
 * Recording never waits. Submitting waits for pipelines that still compile. It keeps the order of recording, whichever becomes
 * ready first.
 */
import { type DeviceError, TensorError } from "../../base/errors.js";
import type { StoredValues } from "../../problem/dtype.js";
import type { Allocation } from "../device/allocation.js";
import { type RecordedOperation, versionOf } from "./batch.js";
import type { BufferPool } from "../device/bufferPool.js";
import { disposedError } from "../device/deviceErrors.js";
import { DeviceMemory } from "./memory.js";
import { OpenBatch } from "./openBatch.js";
import type { BatchTiming } from "./segments.js";
import { areFinite, type GpuStorage, isKnownFinite } from "../device/storage.js";
import type { Pace } from "./pace.js";
import { SubmitQueue, type Waiting } from "./submitQueue.js";

/** The recorder submits by itself once so much is recorded: the GPU then works before a read-back asks it to. */
const OPERATIONS_PER_BATCH = 64;
const RELEASED_BYTES_PER_BATCH = 2 ** 26;

export class Recorder {
  /** What is being recorded. */
  readonly open = new OpenBatch();
  readonly memory: DeviceMemory;
  readonly #pool: BufferPool;
  readonly #queue: SubmitQueue;

  /**
   * @param onFailure told of operations and submissions that fail
   * @param poison whether memory is filled with NaN before use
   */
  constructor(
    device: GPUDevice,
    pool: BufferPool,
    pace: Pace,
    onFailure: (error: DeviceError) => void,
    poison: boolean,
  ) {
    this.#pool = pool;
    this.#queue = new SubmitQueue(device, pool, pace, onFailure);
    this.memory = new DeviceMemory(pool, this.open, this.#queue, {
      poison,
      onReleased: () => this.#submitIfLarge(),
    });
  }

  record(operation: RecordedOperation): void {
    const { packs, writes, updates = [] } = operation;
    const { batch, isForQueue, knows } = this.open;
    batch.operations.push(operation);
    const finite = packs?.sources.every(isKnownFinite) ?? false;
    for (const storage of writes) storage.finite = finite;
    for (const storage of updates) {
      storage.version++;
      // Until a sequence has run its tensors have the values of before. A caller's encoder may be submitted at any time.
      if (!knows) storage.unsubmitted = batch;
    }
    if (!isForQueue) for (const storage of writes) storage.unsubmitted = batch;
    else if (packs) packs.version = versionOf(packs.sources);
    batch.await(operation);
    this.#submitIfLarge();
  }

  /** Gives a storage new values, from the host, after everything recorded so far. */
  upload(target: GpuStorage, values: StoredValues): void {
    this.open.requireOutside("writing");
    const { batch } = this.open;
    batch.uploads.push({ target, values, after: batch.operations.length });
    batch.expect(target.pooled);
    target.version++;
    target.finite = areFinite(values);
  }

  /** Runs `write`, which submits a storage's values by itself, before everything that is not submitted yet. */
  writeNow(target: GpuStorage, write: () => void): void {
    this.#queue.submissions.write(target, write);
  }

  /**
   * Copies a tensor out, after everything recorded so far. `target` must live until the promise has resolved.
   *
   * @returns resolves, never rejects, once the device has judged the submission: to an error where there are no values
   */
  copy(source: GpuStorage, target: Allocation): Promise<DeviceError | undefined> {
    this.open.requireOutside("reading back");
    const { batch } = this.open;
    batch.expect(source.pooled);
    batch.expect(target);
    return new Promise((settle) => void batch.copies.push({ source, target, settle }));
  }

  /** Throws if a caller's encoder, or a sequence, computes the values and was not submitted yet. */
  requireUsable({ unsubmitted }: GpuStorage): void {
    if (unsubmitted && unsubmitted !== this.open.batch) {
      throw new TensorError(
        "the values are computed by a command encoder that is not known to be submitted, or by a compiled sequence that " +
          "has not run; expected queue.submit and then submitted() of what engine.encode gave, or run()",
      );
    }
  }

  /** Submits everything recorded so far. Resolves once that is done, and every buffer has arrived. */
  async submit(timing?: BatchTiming, waiting?: Waiting): Promise<void> {
    await this.flush(timing, waiting);
    await this.#pool.allocator.arrived();
  }

  /** Resolves, never rejects, once the device has judged all that was submitted. */
  async settled(): Promise<void> {
    await this.#queue.submissions.settled();
  }

  /** Submits everything recorded so far. Undefined where that is done at once; else it resolves when it is. */
  flush(timing?: BatchTiming, waiting?: Waiting): Promise<void> | undefined {
    this.open.requireOutside("submitting");
    this.#submitNow(timing, waiting);
    return this.#queue.waiting;
  }

  /** Calls `record` and keeps all that it records for one submission. */
  hold(record: () => void): void {
    this.open.requireOutside("recording once more");
    this.open.hold(record);
  }

  #submitIfLarge(): void {
    if (this.open.isInCallback) return;
    const { operations, releasedBytes } = this.open.batch;
    if (operations.length >= OPERATIONS_PER_BATCH || releasedBytes >= RELEASED_BYTES_PER_BATCH) this.#submitNow();
  }

  #submitNow(timing?: BatchTiming, waiting?: Waiting): void {
    if (!this.open.batch.isEmpty || timing) this.#queue.push(this.open.take(), timing, waiting);
    else if (waiting) this.#queue.watch(waiting);
  }

  /** From here on nothing is submitted, not even batches that wait for their kernels: their memory goes. */
  dispose(): void {
    this.#queue.dispose();
    this.open.batch.abandon(disposedError());
  }
}
