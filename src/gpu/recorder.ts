/**
 * Collects operations and submits many at once: one encoder, one compute pass, one submit.
 *
 * Recording never waits. Submitting waits for pipelines that still compile. It keeps the order of recording, whichever becomes
 * ready first.
 *
 * Work may also be recorded into a caller's encoder, in a batch of its own. Until the caller has submitted that encoder, its
 * results cannot be used elsewhere, and no memory changes hands: other work might use it first.
 */
import { DeviceError, TensorError, textOf } from "../base/errors.js";
import type { Allocation } from "./allocation.js";
import { Batch, isCurrent, type RecordedOperation } from "./batch.js";
import type { BufferPool } from "./bufferPool.js";
import { disposedError } from "./deviceErrors.js";
import { DeviceMemory } from "./memory.js";
import { OpenBatch, type Target } from "./openBatch.js";
import { OpenEncoders } from "./openEncoders.js";
import type { BatchTiming } from "./segments.js";
import { failStorage, type GpuStorage } from "./storage.js";
import { encodePass } from "./submissions.js";
import { SubmitQueue } from "./submitQueue.js";

/** The recorder submits by itself once so much is recorded: the GPU then works before a read-back asks it to. */
const OPERATIONS_PER_BATCH = 64;
const RELEASED_BYTES_PER_BATCH = 2 ** 26;

export class Recorder {
  /** What is being recorded. */
  readonly open = new OpenBatch();
  readonly memory: DeviceMemory;
  readonly #pool: BufferPool;
  readonly #queue: SubmitQueue;
  readonly #encoders = new OpenEncoders();
  readonly #onFailure: (error: DeviceError) => void;

  /**
   * @param onFailure told of operations and submissions that fail
   * @param poison whether memory is filled with NaN before use
   */
  constructor(device: GPUDevice, pool: BufferPool, onFailure: (error: DeviceError) => void, poison: boolean) {
    this.#pool = pool;
    this.#onFailure = onFailure;
    this.#queue = new SubmitQueue(device, pool, onFailure);
    this.memory = new DeviceMemory(pool, this.open, this.#queue, this.#encoders, {
      poison,
      onReleased: () => this.#submitIfLarge(),
    });
  }

  record(operation: RecordedOperation): void {
    const { packs, writes } = operation;
    const { batch, isForQueue } = this.open;
    batch.operations.push(operation);
    if (!isForQueue) for (const storage of writes) storage.unsubmitted = batch;
    else if (packs) packs.version = packs.weights.version;
    batch.await(operation);
    this.#submitIfLarge();
  }

  /** Records an operation of a sequence once more. One that packs weights is left out while they are unchanged. */
  replay(operation: RecordedOperation): void {
    if (operation.packs && this.open.isForQueue && isCurrent(operation.packs)) return;
    this.record(operation);
    for (const storage of operation.writes) storage.version++;
  }

  /** Gives a storage new values, from the host, after everything recorded so far. */
  upload(target: GpuStorage, values: BufferSource): void {
    this.open.requireOutside("writing");
    const { batch } = this.open;
    batch.uploads.push({ target, values, after: batch.operations.length });
    batch.expect(target.pooled);
    target.version++;
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
  async submit(timing?: BatchTiming): Promise<void> {
    await this.flush(timing);
    await this.#pool.allocator.arrived();
  }

  /** Resolves, never rejects, once the device has judged all that was submitted. */
  async settled(): Promise<void> {
    await this.#queue.submissions.settled();
  }

  /** Submits everything recorded so far. Undefined where that is done at once; else it resolves when it is. */
  flush(timing?: BatchTiming): Promise<void> | undefined {
    this.open.requireOutside("submitting");
    this.#submitNow(timing);
    return this.#queue.waiting;
  }

  /** Calls `record` and keeps all that it records for one submission. */
  hold(record: () => void): void {
    this.open.requireOutside("recording once more");
    this.open.hold(record);
  }

  /**
   * Writes what `record` records into a caller's encoder, as a compute pass. Everything recorded before is submitted.
   *
   * @returns to be called once the encoder was submitted, or given up
   */
  async encodeInto(encoder: GPUCommandEncoder, record: () => void): Promise<() => void> {
    const batch = this.#recordBatch("encoder", record);
    this.#encoders.open();
    try {
      await this.#queue.waiting;
      await batch.ready();
      await this.#pool.allocator.arrived();
      // It may read results of a submission that the device refuses.
      await this.settled();
      if (this.#queue.disposed) throw disposedError();
      const leftOut = new Map<RecordedOperation, DeviceError>();
      encodePass(encoder, { operations: batch.operations, timing: undefined }, leftOut);
      for (const error of leftOut.values()) this.#onFailure(error);
    } catch (error) {
      this.#onCallerSubmitted(batch);
      throw error;
    }
    let told = false;
    return () => {
      if (!told) this.#onCallerSubmitted(batch);
      told = true;
    };
  }

  #onCallerSubmitted(batch: Batch): void {
    for (const { writes } of batch.operations) for (const storage of writes) storage.unsubmitted = undefined;
    this.memory.closeEncoder(batch);
  }

  /** A batch with what `record` records, to be replayed. Nothing of it runs yet. `memory.forget` gives its memory back. */
  sequence(record: () => void): Batch {
    return this.#recordBatch("sequence", record);
  }

  /**
   * A batch with what `record` records. Everything recorded before is submitted: it may use what `record` disposes of.
   * Where `record` throws, what it recorded is dropped and its memory given back.
   */
  #recordBatch(target: Target, record: () => void): Batch {
    this.open.requireOutside("recording once more");
    this.#submitNow();
    const batch = new Batch();
    try {
      this.open.recordInto(batch, target, record);
      return batch;
    } catch (error) {
      const cause = new DeviceError(`never computed: the recording threw ${textOf(error)}`, { cause: error });
      for (const { writes } of batch.operations) for (const storage of writes) failStorage(storage, cause);
      this.memory.forget(batch);
      throw error;
    }
  }

  #submitIfLarge(): void {
    if (this.open.isInCallback) return;
    const { operations, releasedBytes } = this.open.batch;
    if (operations.length >= OPERATIONS_PER_BATCH || releasedBytes >= RELEASED_BYTES_PER_BATCH) this.#submitNow();
  }

  #submitNow(timing?: BatchTiming): void {
    if (!this.open.batch.isEmpty || timing) this.#queue.push(this.open.take(), timing);
  }

  /** From here on nothing is submitted, not even batches that wait for their kernels: their memory goes. */
  dispose(): void {
    this.#queue.dispose();
    this.open.batch.abandon(disposedError());
  }
}
