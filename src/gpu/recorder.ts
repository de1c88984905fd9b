/**
 * Collects operations and submits many at once: one encoder, one compute pass, one submit.
 *
 * Recording never waits. Submitting waits for pipelines that are still compiling, and keeps the order of
 * recording whatever the order in which they become ready.
 *
 * Work may also be recorded into a caller's encoder, in a batch of its own. Until the caller has submitted that, its results
 * cannot be used elsewhere, and no memory changes hands: what would be reused might run before it.
 */
import { DeviceError, require, TensorError, textOf } from "../base/errors.js";
import type { Allocation } from "./allocation.js";
import { Batch, isCurrent, type RecordedOperation } from "./batch.js";
import { failStorage, type GpuStorage } from "./storage.js";
import type { BufferPool, PooledBuffer } from "./bufferPool.js";
import { disposedError } from "./deviceErrors.js";
import { OpenEncoders } from "./openEncoders.js";
import type { BatchTiming } from "./segments.js";
import { encodePass } from "./submissions.js";
import { SubmitQueue } from "./submitQueue.js";

/** Submit by itself once this much has been recorded, so that the GPU need not wait for a read-back. */
const OPERATIONS_PER_BATCH = 64;
const RELEASED_BYTES_PER_BATCH = 2 ** 26;

/** Where what is recorded goes: to the device's queue by and by, into a caller's encoder, or into a sequence. */
type Target = "queue" | "encoder" | "sequence";

export class Recorder {
  readonly #pool: BufferPool;
  readonly #queue: SubmitQueue;
  readonly #onFailure: (error: DeviceError) => void;
  #batch = new Batch();
  #held = false;
  #target: Target = "queue";
  readonly #encoders = new OpenEncoders();

  /** @param onFailure told of operations and submissions that fail */
  constructor(device: GPUDevice, pool: BufferPool, onFailure: (error: DeviceError) => void = () => undefined) {
    this.#pool = pool;
    this.#onFailure = onFailure;
    this.#queue = new SubmitQueue(device, pool, onFailure);
  }

  /** The sequence that is being recorded; undefined while none is. */
  get currentSequence(): Batch | undefined {
    return this.#target === "sequence" ? this.#batch : undefined;
  }

  /** Whether what is recorded is sure to run, and in the order of recording. */
  get isForQueue(): boolean {
    return this.#target === "queue";
  }

  record(operation: RecordedOperation): void {
    const { packs, writes } = operation;
    this.#batch.operations.push(operation);
    if (!this.isForQueue) for (const storage of writes) storage.unsubmitted = this.#batch;
    else if (packs) packs.version = packs.weights.version;
    this.#batch.await(operation);
    this.#submitIfLarge();
  }

  /** Records an operation of a sequence once more; one that packs weights only if they changed since. */
  replay(operation: RecordedOperation): void {
    if (operation.packs && this.isForQueue && isCurrent(operation.packs)) return;
    this.record(operation);
    for (const storage of operation.writes) storage.version++;
  }

  /** Gives a storage new values, from the host, after everything recorded so far. */
  upload(target: GpuStorage, values: BufferSource): void {
    this.#requireOutside("writing");
    const batch = this.#batch;
    batch.uploads.push({ target, values, after: batch.operations.length });
    this.expect(target.pooled);
    target.version++;
  }

  /** Runs `write`, which gives a storage its values by itself, before everything that is not submitted yet. */
  writeNow(target: GpuStorage, write: () => void): void {
    this.#queue.submissions.write(target, write);
  }

  /** Notes that what is recorded next uses the buffer. */
  expect(allocation: Allocation): void {
    if (allocation.arriving) this.#batch.arriving.add(allocation);
  }

  /**
   * Copies a tensor out, after everything recorded so far. `target` must live until the result has resolved.
   *
   * @returns resolves, never rejects, once the device has taken the submission: to the error, where there are no values
   */
  copy(source: GpuStorage, target: Allocation): Promise<DeviceError | undefined> {
    this.#requireOutside("reading back");
    const { copies } = this.#batch;
    this.expect(source.pooled);
    this.expect(target);
    return new Promise((settle) => void copies.push({ source, target, settle }));
  }

  /** Throws if the values are for a caller's encoder to compute that was not submitted yet. */
  requireUsable({ unsubmitted }: GpuStorage): void {
    if (unsubmitted && unsubmitted !== this.#batch) {
      throw new TensorError(
        "the values are computed by a command encoder that is not known to be submitted, or by a compiled sequence that " +
          "has not run; expected queue.submit and then submitted() of what engine.encode gave, or run()",
      );
    }
  }

  /**
   * A buffer that the next operation recorded writes first.
   *
   * @param spare whether it may be one that earlier operations of the batch still use, and are then done with
   */
  acquire(bytes: number, spare: boolean): PooledBuffer {
    const pooled = (spare ? this.#takeSpare(this.#pool.classBytes(bytes)) : undefined) ?? this.#pool.acquire(bytes);
    this.#batch.acquired.add(pooled);
    this.expect(pooled);
    return pooled;
  }

  /** What this batch, or one that waits to run before it, is done with. */
  #takeSpare(classBytes: number): PooledBuffer | undefined {
    const own = this.#batch.takeSpare(classBytes);
    if (own) return own;
    if (!this.isForQueue || this.#encoders.any) return undefined;
    for (const batch of this.#queue.queued) {
      const pooled = batch.takeSpare(classBytes);
      if (pooled) return pooled;
    }
    return undefined;
  }

  /**
   * Takes a buffer back, everything recorded so far still using it: later operations of the batch may write over it, and
   * the pool gets it once the batch was submitted.
   */
  release(pooled: PooledBuffer): void {
    const batch = this.#batch;
    // What a caller's encoder uses may run later than this batch.
    if (batch.acquired.has(pooled) && (!this.isForQueue || !this.#encoders.any)) {
      batch.addSpare(pooled);
    } else if (this.afterwards(() => this.#pool.release(pooled))) {
      return;
    }
    batch.releasedBytes += pooled.bytes;
    this.#submitIfLarge();
  }

  /** Takes a buffer back once the current batch is done with: a sequence, when it is forgotten. */
  releaseWithBatch(pooled: PooledBuffer): void {
    this.afterBatch(() => this.#pool.release(pooled));
  }

  /** Calls `action` once the current batch is done with. */
  afterBatch(action: () => void): void {
    this.#batch.afterwards.push(action);
  }

  /** Calls `action` as soon as everything recorded so far has been submitted; gives whether that was at once. */
  afterwards(action: () => void): boolean {
    if (this.#encoders.any) {
      this.#encoders.defer(action);
      return false;
    }
    if (this.#batch.isEmpty && !this.#queue.waiting) {
      action();
      return true;
    }
    this.#batch.afterwards.push(action);
    return false;
  }

  /** Submits everything recorded so far; resolves once that has happened, and what the host wrote has arrived. */
  async submit(timing?: BatchTiming): Promise<void> {
    await this.flush(timing);
    await this.#pool.allocator.arrived();
  }

  /** Resolves, never rejects, once the device has judged all that was submitted. */
  async settled(): Promise<void> {
    await this.#queue.submissions.settled();
  }

  /** Submits likewise; gives undefined where that has happened already, with nothing to wait for. */
  flush(timing?: BatchTiming): Promise<void> | undefined {
    this.#requireOutside("submitting");
    this.#submitNow(timing);
    return this.#queue.waiting;
  }

  /** Keeps all that `record` records for one submission, however much it is. */
  hold(record: () => void): void {
    this.#requireOutside("recording once more");
    this.#held = true;
    try {
      record();
    } finally {
      this.#held = false;
    }
  }

  /**
   * Writes what `record` records into a caller's encoder, as a compute pass; everything recorded before is submitted.
   *
   * @returns what must be called once the encoder was submitted, or given up
   */
  async encodeInto(encoder: GPUCommandEncoder, record: () => void): Promise<() => void> {
    this.#requireOutside("recording once more");
    this.#submitNow();
    const batch = this.#recordBatch("encoder", record);
    this.#encoders.open();
    try {
      await this.#queue.waiting;
      await batch.ready();
      await this.#pool.allocator.arrived();
      // What it reads may come of a submission that the device refuses.
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

  /** A batch with what `record` records, to be replayed: nothing of it runs yet. To be settled by {@link forget}. */
  sequence(record: () => void): Batch {
    this.#requireOutside("recording once more");
    // What it disposes of meanwhile may be in what is recorded already.
    this.#submitNow();
    return this.#recordBatch("sequence", record);
  }

  /** Gives back what a batch of its own holds, as soon as everything recorded so far has been submitted. */
  forget(batch: Batch): void {
    batch.settle(this.#pool, (action) => this.afterwards(action));
  }

  /** A batch with what `record` records. Where that throws, what it recorded is dropped and its memory given back. */
  #recordBatch(target: Target, record: () => void): Batch {
    const outer = this.#batch;
    const batch = new Batch();
    this.#batch = batch;
    this.#target = target;
    try {
      record();
      return batch;
    } catch (error) {
      const cause = new DeviceError(`never computed: the recording threw ${textOf(error)}`, { cause: error });
      for (const { writes } of batch.operations) for (const storage of writes) failStorage(storage, cause);
      this.#target = "queue";
      this.#batch = outer;
      // What it disposed of may be in submissions that still wait.
      this.forget(batch);
      throw error;
    } finally {
      this.#target = "queue";
      this.#batch = outer;
    }
  }

  #onCallerSubmitted(batch: Batch): void {
    for (const { writes } of batch.operations) for (const storage of writes) storage.unsubmitted = undefined;
    batch.settle(this.#pool, (action) => this.#encoders.defer(action));
    for (const action of this.#encoders.close()) this.afterwards(action);
  }

  #requireOutside(what: string): void {
    require(!this.#held && this.isForQueue, () => {
      return `${what} is not possible while a callback records; expected nothing but operations in it`;
    });
  }

  #submitIfLarge(): void {
    if (this.#held || !this.isForQueue) return;
    const { operations, releasedBytes } = this.#batch;
    if (operations.length >= OPERATIONS_PER_BATCH || releasedBytes >= RELEASED_BYTES_PER_BATCH) this.#submitNow();
  }

  #submitNow(timing?: BatchTiming): void {
    const batch = this.#batch;
    if (batch.isEmpty && !timing) return;
    this.#batch = new Batch();
    this.#queue.push(batch, timing);
  }

  /** From here on nothing is submitted, not even what waits for its kernels: its memory goes. */
  dispose(): void {
    this.#queue.dispose();
    this.#batch.abandon(disposedError());
  }
}
