/** What the recorder collects: operations on the device, bound and ready, and what goes into one submission. */
import type { DType } from "../dtype.js";
import { DeviceError } from "../errors.js";
import type { Pixels } from "../pixels.js";
import type { ScratchName } from "../solver.js";
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
  readonly pixels: Pixels | undefined;
  /** What is to compute the values apart, from its recording until it was submitted, or run. */
  unsubmitted: Batch | undefined;
  /** Whether the tensor was disposed of: the memory may serve others. */
  released: boolean;
  /** Counts the times that the values were replaced. */
  version: number;
  /** Whether the caller has the buffer, and may change the values unseen. */
  exposed: boolean;
}

/** Storage of `size` values in `pooled`, nothing known of them. */
export function makeStorage(pooled: PooledBuffer, dtype: DType, size: number, bytes: number): GpuStorage {
  return {
    pooled,
    dtype,
    size,
    bytes,
    error: undefined,
    pixels: undefined,
    unsubmitted: undefined,
    released: false,
    version: 0,
    exposed: pooled.borrowed,
  };
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
  /** What it packs, where that is all that it does: then it need not run again before the weights change. */
  readonly packs?: PackedForm;
}

/** Weights in the form that a plan's kernels read, and of which values that is. */
export interface PackedForm {
  readonly weights: GpuStorage;
  readonly storages: ReadonlyMap<ScratchName, GpuStorage>;
  /** The version of the weights that was packed last; undefined before the first time. */
  version: number | undefined;
}

/** Whether it holds what the weights hold by now. */
export function isCurrent({ weights, storages, version }: PackedForm): boolean {
  if (weights.exposed || version !== weights.version) return false;
  for (const storage of storages.values()) if (storage.error) return false;
  return true;
}

interface RecordedCopy {
  readonly source: GpuStorage;
  readonly target: GPUBuffer;
}

/** What goes into one submission. */
export class Batch {
  readonly operations: RecordedOperation[] = [];
  readonly copies: RecordedCopy[] = [];
  /** What may be done once all of this is submitted: memory given back, plans taken down. */
  readonly afterwards: (() => void)[] = [];
  readonly unready = new Set<PipelineEntry>();
  /** Buffers that operations of this batch acquired. */
  readonly acquired = new Set<PooledBuffer>();
  /** Those of them that were released since, by their bytes: later operations of the batch may write over them. */
  readonly spare = new Map<number, PooledBuffer[]>();
  releasedBytes = 0;

  get isEmpty(): boolean {
    return [this.operations, this.copies, this.afterwards].every(({ length }) => length === 0) && this.spare.size === 0;
  }

  /** Gives back what the batch holds, once it was submitted or given up, or makes `defer` do so later. */
  settle(pool: BufferPool, defer: (action: () => void) => void = (action) => action()): void {
    for (const action of this.afterwards) defer(action);
    for (const list of this.spare.values()) for (const pooled of list) defer(() => pool.release(pooled));
    this.afterwards.length = 0;
    this.spare.clear();
  }
}

/** Where a pass writes its begin and end times. */
export interface PassTiming {
  readonly writes: GPUComputePassTimestampWrites;
  readonly resolve: (encoder: GPUCommandEncoder) => void;
}

export function encodePass(encoder: GPUCommandEncoder, batch: Batch, timing: PassTiming | undefined): void {
  const pass = encoder.beginComputePass(timing ? { timestampWrites: timing.writes } : undefined);
  for (const operation of batch.operations) encodeOperation(pass, operation);
  pass.end();
}

function encodeOperation(pass: GPUComputePassEncoder, operation: RecordedOperation): void {
  const error = failureOf(operation);
  if (error) {
    for (const storage of operation.writes) failStorage(storage, error);
    return;
  }
  for (const { pipeline, bindGroup, workgroups } of operation.dispatches) {
    if (!pipeline.pipeline) throw new DeviceError(`kernel ${pipeline.label} was submitted before it compiled`);
    pass.setPipeline(pipeline.pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
  }
}

export function failStorage(storage: GpuStorage, error: DeviceError): void {
  storage.error = error;
  storage.unsubmitted = undefined;
}

/** An operation fails when a kernel of its own failed, or one that should have computed what it reads. */
function failureOf({ dispatches, reads }: RecordedOperation): DeviceError | undefined {
  for (const { pipeline } of dispatches) if (pipeline.error) return pipeline.error;
  for (const storage of reads) if (storage.error) return storage.error;
  return undefined;
}
