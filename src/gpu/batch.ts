/** What the recorder collects: operations on the device, writes from the host, and copies out. */
import type { DeviceError } from "../base/errors.js";
import type { ScratchName } from "../planning/solver.js";
import type { Allocation } from "./allocation.js";
import type { BufferPool, PooledBuffer } from "./bufferPool.js";
import type { PipelineEntry } from "./pipelineCache.js";
import type { GpuStorage } from "./storage.js";

/** A kernel to start. It is bound when it is encoded: until then its buffers may be made once more. */
export interface RecordedDispatch {
  readonly pipeline: PipelineEntry;
  readonly uniforms: Allocation;
  readonly bindGroup: GPUBindGroup;
  readonly buffers: Readonly<Partial<Record<string, PooledBuffer>>>;
  readonly workgroups: readonly [number, number, number];
}

export interface RecordedOperation {
  readonly dispatches: readonly RecordedDispatch[];
  readonly reads: readonly GpuStorage[];
  readonly writes: readonly GpuStorage[];
  /** What it packs, where that is all that it does: then it need not run again before the weights change. */
  readonly packs?: PackedForm;
  /** The name of its debug group, where profilers are to show one. */
  readonly label?: string | undefined;
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
  for (const storage of storages.values()) if (storage.error ?? storage.pooled.error) return false;
  return true;
}

/** Values that the host writes between two operations. */
export interface RecordedUpload {
  readonly target: GpuStorage;
  readonly values: BufferSource;
  /** Operations of the batch that come before it. */
  readonly after: number;
}

/** A tensor copied out, after the operations of its batch. */
export interface RecordedCopy {
  readonly source: GpuStorage;
  readonly target: Allocation;
  /** Told once it is known whether the copy has the values: why not, where it hasn't. */
  readonly settle: (error: DeviceError | undefined) => void;
}

/** What goes to the device's queue at once. */
export class Batch {
  readonly operations: RecordedOperation[] = [];
  readonly uploads: RecordedUpload[] = [];
  readonly copies: RecordedCopy[] = [];
  /** What may be done once all of this is submitted: memory given back, plans taken down. */
  readonly afterwards: (() => void)[] = [];
  readonly unready = new Set<PipelineEntry>();
  /** Buffers that the device has not said of whether it has room for them. */
  readonly arriving = new Set<Allocation>();
  /** Buffers that operations of this batch acquired. */
  readonly acquired = new Set<PooledBuffer>();
  /** Those of them that were released since, by their bytes: later operations of the batch may write over them. */
  readonly spare = new Map<number, PooledBuffer[]>();
  releasedBytes = 0;

  /** Keeps a buffer that operations of this batch are done with, for later ones. */
  addSpare(pooled: PooledBuffer): void {
    const spare = this.spare.get(pooled.bytes);
    if (spare) spare.push(pooled);
    else this.spare.set(pooled.bytes, [pooled]);
  }

  /** A buffer of that size that operations of this batch are done with; undefined where there is none. */
  takeSpare(bytes: number): PooledBuffer | undefined {
    const pooled = this.spare.get(bytes)?.pop();
    if (pooled) this.releasedBytes -= pooled.bytes;
    return pooled;
  }

  get isEmpty(): boolean {
    return (
      [this.operations, this.uploads, this.copies, this.afterwards].every(({ length }) => length === 0) &&
      this.spare.size === 0
    );
  }

  /** Forgets what became ready meanwhile; gives whether all is. */
  get isReady(): boolean {
    for (const entry of this.unready) if (entry.pipeline) this.unready.delete(entry);
    for (const allocation of this.arriving) if (!allocation.arriving) this.arriving.delete(allocation);
    return this.unready.size === 0 && this.arriving.size === 0;
  }

  /** Resolves, never rejects, once every kernel is compiled or failed, and every buffer has arrived or never will. */
  async ready(): Promise<void> {
    await Promise.all([
      ...[...this.unready].map((entry) => entry.settled),
      ...[...this.arriving].map(({ arriving }) => arriving),
    ]);
  }

  /** Notes that what is recorded next uses the buffer. */
  expect(allocation: Allocation): void {
    if (allocation.arriving) this.arriving.add(allocation);
  }

  /** Notes what must be there before the operation can be encoded. */
  await({ dispatches, reads, writes }: RecordedOperation): void {
    for (const { pipeline, uniforms } of dispatches) {
      if (!pipeline.pipeline) this.unready.add(pipeline);
      this.expect(uniforms);
    }
    for (const { pooled } of [...reads, ...writes]) this.expect(pooled);
  }

  /** Gives back what the batch holds, once it was submitted or given up, or makes `defer` do so later. */
  settle(pool: BufferPool, defer: (action: () => void) => void = (action) => action()): void {
    for (const action of this.afterwards) defer(action);
    for (const list of this.spare.values()) for (const pooled of list) defer(() => pool.release(pooled));
    this.afterwards.length = 0;
    this.spare.clear();
  }

  /** Nothing of it will run: what waits for a copy is told. */
  abandon(error: DeviceError): void {
    for (const { settle } of this.copies) settle(error);
  }
}
