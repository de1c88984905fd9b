/**
 * Collects operations and submits many at once: one encoder, one compute pass, one submit.
 *
 * Recording never waits. Submitting waits for pipelines that are still compiling, and keeps the order of
 * recording whatever the order in which they become ready.
 *
 * Work may also be recorded apart, into a caller's encoder. Until the caller has submitted that, its results cannot
 * be used elsewhere, and no memory changes hands: what would be reused might run before it.
 */
import { DeviceError, require, TensorError } from "../errors.js";
import {
  Batch,
  encodePass,
  failStorage,
  type GpuStorage,
  isCurrent,
  type PassTiming,
  type RecordedOperation,
} from "./batch.js";
import type { BufferPool, PooledBuffer } from "./bufferPool.js";

/** Submit by itself once this much has been recorded, so that the GPU need not wait for a read-back. */
const OPERATIONS_PER_BATCH = 64;
const RELEASED_BYTES_PER_BATCH = 2 ** 26;

/** Where what is recorded goes: to the device's queue by and by, into a caller's encoder, or into a sequence. */
type Target = "queue" | "encoder" | "sequence";

export class Recorder {
  readonly #device: GPUDevice;
  readonly #pool: BufferPool;
  #batch = new Batch();
  #held = false;
  #target: Target = "queue";
  /** Callers' encoders that have not been submitted, and what waits for that. */
  #callersEncoders = 0;
  #deferred: (() => void)[] = [];
  /** Submissions that wait for pipelines; undefined when none does. */
  #waiting: Promise<void> | undefined;
  #disposed = false;

  constructor(device: GPUDevice, pool: BufferPool) {
    this.#device = device;
    this.#pool = pool;
  }

  /** The sequence that is being recorded; undefined while none is. */
  get sequenceAtHand(): Batch | undefined {
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
    for (const { pipeline } of operation.dispatches) {
      if (!pipeline.pipeline) this.#batch.unready.add(pipeline);
    }
    this.#submitIfLarge();
  }

  /** Records an operation of a sequence once more; one that packs weights only if they changed since. */
  replay(operation: RecordedOperation): void {
    if (operation.packs && this.isForQueue && isCurrent(operation.packs)) return;
    this.record(operation);
    for (const storage of operation.writes) storage.version++;
  }

  /** Copies a tensor out, after everything recorded so far. `target` must outlive the submission. */
  copy(source: GpuStorage, target: GPUBuffer): void {
    this.#requireOutside("reading back");
    this.#batch.copies.push({ source, target });
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
    const batch = this.#batch;
    const pooled = spare ? batch.spare.get(this.#pool.classBytes(bytes))?.pop() : undefined;
    if (pooled) {
      batch.releasedBytes -= pooled.bytes;
      return pooled;
    }
    const fresh = this.#pool.acquire(bytes);
    batch.acquired.add(fresh);
    return fresh;
  }

  /**
   * Takes a buffer back, everything recorded so far still using it: later operations of the batch may write over it, and
   * the pool gets it once the batch was submitted.
   */
  release(pooled: PooledBuffer): void {
    const batch = this.#batch;
    // What a caller's encoder uses may run later than this batch.
    if (batch.acquired.has(pooled) && (!this.isForQueue || this.#callersEncoders === 0)) {
      const spare = batch.spare.get(pooled.bytes);
      if (spare) spare.push(pooled);
      else batch.spare.set(pooled.bytes, [pooled]);
    } else if (this.afterwards(() => this.#pool.release(pooled))) {
      return;
    }
    batch.releasedBytes += pooled.bytes;
    this.#submitIfLarge();
  }

  /** Takes a buffer back once the batch at hand is done with: a sequence, when it is forgotten. */
  releaseWithBatch(pooled: PooledBuffer): void {
    this.afterBatch(() => this.#pool.release(pooled));
  }

  /** Calls `action` once the batch at hand is done with. */
  afterBatch(action: () => void): void {
    this.#batch.afterwards.push(action);
  }

  /** Calls `action` as soon as everything recorded so far has been submitted; gives whether that was at once. */
  afterwards(action: () => void): boolean {
    if (this.#callersEncoders > 0) {
      this.#deferred.push(action);
      return false;
    }
    if (this.#batch.isEmpty && !this.#waiting) {
      action();
      return true;
    }
    this.#batch.afterwards.push(action);
    return false;
  }

  /** Submits everything recorded so far; resolves once that has happened. */
  async submit(timing?: PassTiming): Promise<void> {
    await this.flush(timing);
  }

  /** Likewise; gives undefined where that has happened already, with every kernel compiled. */
  flush(timing?: PassTiming): Promise<void> | undefined {
    this.#requireOutside("submitting");
    this.#submitNow(timing);
    return this.#waiting;
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
  async encodeApart(encoder: GPUCommandEncoder, record: () => void): Promise<() => void> {
    this.#requireOutside("recording once more");
    this.#submitNow();
    const batch = this.#recordApart("encoder", record);
    this.#callersEncoders++;
    try {
      await this.#waiting;
      await Promise.all([...batch.unready].map((entry) => entry.settled));
      if (this.#disposed) throw new DeviceError("the engine was disposed; expected a live engine");
      encodePass(encoder, batch, undefined);
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
    return this.#recordApart("sequence", record);
  }

  /** Gives back what work recorded apart holds, as soon as everything recorded so far has been submitted. */
  forget(apart: Batch): void {
    apart.settle(this.#pool, (action) => this.afterwards(action));
  }

  /** A batch with what `record` records. Where that throws, what it recorded is dropped and its memory given back. */
  #recordApart(target: Target, record: () => void): Batch {
    const outer = this.#batch;
    const batch = new Batch();
    this.#batch = batch;
    this.#target = target;
    try {
      record();
      return batch;
    } catch (error) {
      const cause = new DeviceError(`never computed: the recording threw ${String(error)}`, { cause: error });
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
    this.#callersEncoders--;
    batch.settle(this.#pool, (action) => this.#deferred.push(action));
    if (this.#callersEncoders > 0) return;
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const action of deferred) this.afterwards(action);
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

  #submitNow(timing?: PassTiming): void {
    const batch = this.#batch;
    if (batch.isEmpty && !timing) return;
    this.#batch = new Batch();
    for (const entry of batch.unready) {
      if (entry.pipeline) batch.unready.delete(entry);
    }
    if (!this.#waiting && batch.unready.size === 0) {
      this.#encode(batch, timing);
      return;
    }
    const waiting = this.#encodeWhenReady(batch, timing, this.#waiting).then(() => {
      if (this.#waiting === waiting) this.#waiting = undefined;
    });
    this.#waiting = waiting;
  }

  async #encodeWhenReady(
    batch: Batch,
    timing: PassTiming | undefined,
    earlier: Promise<void> | undefined,
  ): Promise<void> {
    await earlier;
    await Promise.all([...batch.unready].map((entry) => entry.settled));
    this.#encode(batch, timing);
  }

  /** From here on nothing is submitted, not even what waits for its kernels: its memory goes. */
  dispose(): void {
    this.#disposed = true;
  }

  #encode(batch: Batch, timing?: PassTiming): void {
    if (this.#disposed) return;
    const encoder = this.#device.createCommandEncoder({ label: "webgpu-conv" });
    if (batch.operations.length > 0 || timing) encodePass(encoder, batch, timing);
    timing?.resolve(encoder);
    for (const { source, target } of batch.copies) {
      const { buffer, offset } = source.pooled;
      if (!source.error) encoder.copyBufferToBuffer(buffer, offset, target, 0, source.bytes);
    }
    this.#device.queue.submit([encoder.finish()]);
    batch.settle(this.#pool);
  }
}
