/**
 * Collects operations and submits many at once: one encoder, one compute pass, one submit.
 *
 * Recording never waits. Submitting waits for pipelines that are still compiling, and keeps the order of
 * recording whatever the order in which they become ready.
 */
import type { DType } from "../dtype.js";
import { DeviceError } from "../errors.js";
import type { BufferPool, PooledBuffer } from "./bufferPool.js";
import type { PipelineEntry } from "./pipelineCache.js";

/** Memory of a tensor on the device. */
export interface GpuStorage {
  readonly pooled: PooledBuffer;
  readonly dtype: DType;
  readonly size: number;
  /** Bytes of the values in whole 32-bit words, at most those of the buffer. */
  readonly bytes: number;
  /** Why the values are not there: what should have computed them failed. */
  error: DeviceError | undefined;
}

export interface RecordedDispatch {
  readonly pipeline: PipelineEntry;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

export interface RecordedOperation {
  readonly dispatches: readonly RecordedDispatch[];
  readonly reads: readonly GpuStorage[];
  readonly writes: readonly GpuStorage[];
}

interface RecordedCopy {
  readonly source: GpuStorage;
  readonly target: GPUBuffer;
}

class Batch {
  readonly operations: RecordedOperation[] = [];
  readonly copies: RecordedCopy[] = [];
  readonly releases: PooledBuffer[] = [];
  readonly unready = new Set<PipelineEntry>();
  releasedBytes = 0;

  get isEmpty(): boolean {
    return this.operations.length === 0 && this.copies.length === 0 && this.releases.length === 0;
  }
}

/** Submit by itself once this much has been recorded, so that the GPU need not wait for a read-back. */
const OPERATIONS_PER_BATCH = 64;
const RELEASED_BYTES_PER_BATCH = 2 ** 26;

/** Where a pass writes its begin and end times. */
export interface PassTiming {
  readonly writes: GPUComputePassTimestampWrites;
  readonly resolve: (encoder: GPUCommandEncoder) => void;
}

export class Recorder {
  readonly #device: GPUDevice;
  readonly #pool: BufferPool;
  #batch = new Batch();
  #held = false;
  /** Submissions that wait for pipelines; undefined when none does. */
  #waiting: Promise<void> | undefined;

  constructor(device: GPUDevice, pool: BufferPool) {
    this.#device = device;
    this.#pool = pool;
  }

  record(operation: RecordedOperation): void {
    this.#batch.operations.push(operation);
    for (const { pipeline } of operation.dispatches) {
      if (!pipeline.pipeline) this.#batch.unready.add(pipeline);
    }
    this.#submitIfLarge();
  }

  /** Copies a tensor out, after everything recorded so far. `target` must outlive the submission. */
  copy(source: GpuStorage, target: GPUBuffer): void {
    this.#batch.copies.push({ source, target });
  }

  /** Gives a buffer back to the pool as soon as everything recorded so far has been submitted. */
  release(pooled: PooledBuffer): void {
    if (this.#batch.isEmpty && !this.#waiting) {
      this.#pool.release(pooled);
      return;
    }
    this.#batch.releases.push(pooled);
    this.#batch.releasedBytes += pooled.bytes;
    this.#submitIfLarge();
  }

  /** Submits everything recorded so far; resolves once that has happened. */
  async submit(timing?: PassTiming): Promise<void> {
    this.#submitNow(timing);
    await this.#waiting;
  }

  /** Keeps all that `record` records for one submission, however much it is. */
  hold(record: () => void): void {
    this.#held = true;
    try {
      record();
    } finally {
      this.#held = false;
    }
  }

  #submitIfLarge(): void {
    if (this.#held) return;
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

  #encode(batch: Batch, timing?: PassTiming): void {
    const encoder = this.#device.createCommandEncoder({ label: "webgpu-conv" });
    if (batch.operations.length > 0 || timing) {
      const pass = encoder.beginComputePass(timing ? { timestampWrites: timing.writes } : undefined);
      for (const operation of batch.operations) encodeOperation(pass, operation);
      pass.end();
    }
    timing?.resolve(encoder);
    for (const { source, target } of batch.copies) {
      if (!source.error) encoder.copyBufferToBuffer(source.pooled.buffer, 0, target, 0, source.bytes);
    }
    this.#device.queue.submit([encoder.finish()]);
    for (const pooled of batch.releases) this.#pool.release(pooled);
  }
}

function encodeOperation(pass: GPUComputePassEncoder, operation: RecordedOperation): void {
  const error = failureOf(operation);
  if (error) {
    for (const storage of operation.writes) storage.error = error;
    return;
  }
  for (const { pipeline, bindGroup, workgroups } of operation.dispatches) {
    if (!pipeline.pipeline) throw new DeviceError(`kernel ${pipeline.label} was submitted before it compiled`);
    pass.setPipeline(pipeline.pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
  }
}

/** An operation fails when a kernel of its own failed, or one that should have computed what it reads. */
function failureOf({ dispatches, reads }: RecordedOperation): DeviceError | undefined {
  for (const { pipeline } of dispatches) if (pipeline.error) return pipeline.error;
  for (const storage of reads) if (storage.error) return storage.error;
  return undefined;
}
