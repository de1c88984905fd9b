/** What the recorder collects: operations on the device, writes from the host, and copies out. */
import type { DeviceError } from "../../base/errors.js";
import type { NamedTensor, ScratchName } from "../../planning/solver.js";
import type { Allocation } from "../device/allocation.js";
import { type BufferPool, type PooledBuffer, takeSmallest } from "../device/bufferPool.js";
import type { PipelineEntry } from "../pipelines/pipelineCache.js";
import type { RecordedDispatch } from "../pipelines/prepared.js";
import type { Trial } from "../pipelines/trial.js";
import type { GpuStorage } from "../device/storage.js";

export interface RecordedOperation {
  readonly dispatches: readonly RecordedDispatch[];
  readonly reads: readonly GpuStorage[];
  readonly writes: readonly GpuStorage[];
  /** Of what it reads, what it changes in place. Where it does not run, they keep their values. */
  readonly updates?: readonly GpuStorage[];
  /** Of a piece of one that changes tensors in place: all dispatches. Where one cannot run, none of the pieces does. */
  readonly all?: readonly RecordedDispatch[];
  /** The form that it packs, where it does nothing else. It then runs again only after what it reads changed. */
  readonly packs?: PackedForm | undefined;
  /** In a sequence: what differs in runs for which these weights may be infinite. `dispatches` leaves repairs out. */
  readonly repaired?: { readonly weights: GpuStorage; readonly operation: () => Repaired };
  /** The name of its debug group, where profilers are to show one. */
  readonly label?: string | undefined;
  /** Copies between buffers, before its dispatches and after them: those of pieces (inPieces.ts). */
  readonly copyBefore?: EncodeCopies | undefined;
  readonly copyAfter?: EncodeCopies | undefined;
  /** Why it does not run: it was called off, or no kernel does it. */
  readonly error?: DeviceError;
  /** What its kernels must pass before it runs; undefined where they have. */
  readonly trial?: Trial | undefined;
  /** The operation by other kernels, for a batch, where the trial failed. Absent where it packs weights. */
  readonly again?: (batch: Batch) => RecordedOperation;
}

/** An operation with its repairs, and the trial of all of its kernels. */
export type Repaired = Pick<RecordedOperation, "dispatches" | "trial" | "again">;

type EncodeCopies = (encoder: GPUCommandEncoder) => void;

/** Weights, or several tensors, in the form that later operations read, and the version of these that it is of. */
export interface PackedForm {
  readonly sources: readonly GpuStorage[];
  readonly storages: ReadonlyMap<ScratchName | NamedTensor, GpuStorage>;
  /** The version that was packed last; undefined before the first time. */
  version: number | undefined;
}

/** Grows whenever the values of one of them are replaced. */
export const versionOf = (sources: readonly GpuStorage[]): number =>
  sources.reduce((sum, { version }) => sum + version, 0);

/** Whether the form is of the current values. */
export function isCurrent({ sources, storages, version }: PackedForm): boolean {
  if (sources.some(({ exposed }) => exposed) || version !== versionOf(sources)) return false;
  for (const storage of storages.values()) if (storage.error ?? storage.pooled.error) return false;
  return true;
}

/** Values that the host writes between two operations. */
export interface RecordedUpload {
  readonly target: GpuStorage;
  readonly values: BufferSource;
  /** How many operations of the batch come before it. */
  readonly after: number;
}

/** A tensor copied out, after the operations of its batch. */
export interface RecordedCopy {
  readonly source: GpuStorage;
  readonly target: Allocation;
  /** Called once it is known whether the copy has the values, with the error where it lacks them. */
  readonly settle: (error: DeviceError | undefined) => void;
}

/** Work that goes to the device's queue together. */
export class Batch {
  readonly operations: RecordedOperation[] = [];
  readonly uploads: RecordedUpload[] = [];
  readonly copies: RecordedCopy[] = [];
  /** Called once all of this is submitted: they give memory back, for example. */
  readonly afterwards: (() => void)[] = [];
  readonly unready = new Set<PipelineEntry>();
  /** Trials that are not over, or that failed, and the kernels that wait for them. */
  readonly trials = new Map<Trial, Set<PipelineEntry>>();
  /** Buffers that are still arriving. */
  readonly arriving = new Set<Allocation>();
  /** Buffers that operations of this batch acquired. */
  readonly acquired = new Set<PooledBuffer>();
  /** Those of them that were released since, by bytes: later operations of the batch may write over them. */
  readonly spare = new Map<number, PooledBuffer[]>();
  releasedBytes = 0;

  /** Keeps a buffer for later operations of this batch. Those recorded so far are done with it. */
  addSpare(pooled: PooledBuffer): void {
    const spare = this.spare.get(pooled.bytes);
    if (spare) spare.push(pooled);
    else this.spare.set(pooled.bytes, [pooled]);
  }

  /** A kept buffer of that size, or else the smallest of those up to `most` that holds it; undefined where there is none. */
  takeSpare(bytes: number, most?: number): PooledBuffer | undefined {
    const pooled = takeSmallest(this.spare, bytes, most);
    if (pooled) this.releasedBytes -= pooled.bytes;
    return pooled;
  }

  get isEmpty(): boolean {
    return (
      [this.operations, this.uploads, this.copies, this.afterwards].every(({ length }) => length === 0) &&
      this.spare.size === 0
    );
  }

  /** Whether all kernels and buffers are ready. Forgets those that are. */
  get isReady(): boolean {
    this.#leaveTrials();
    for (const entry of this.unready) if (entry.pipeline) this.unready.delete(entry);
    for (const allocation of this.arriving) if (!allocation.arriving) this.arriving.delete(allocation);
    return this.unready.size === 0 && this.arriving.size === 0 && this.trials.size === 0;
  }

  /**
   * Resolves, never rejects, once every kernel has compiled or failed, and every buffer has arrived or failed. Operations whose
   * kernels failed their trial are replaced.
   *
   * @param lists of this batch's operations, in order
   */
  async ready(lists: readonly RecordedOperation[][] = [this.operations]): Promise<void> {
    for (;;) {
      await Promise.all([
        ...[...this.trials.keys(), ...this.unready].map((one) => one.settled),
        ...[...this.arriving].map(({ arriving }) => arriving),
      ]);
      this.unready.clear();
      this.#leaveTrials();
      this.trials.clear();
      const replaced = replaceFailed(lists, this);
      for (const operation of replaced) this.await(operation);
      if (replaced.length === 0 && this.unready.size === 0) return;
    }
  }

  /** Kernels that passed are waited for by themselves: a trial that decides nothing is over before they are compiled. */
  #leaveTrials(): void {
    for (const [trial, kernels] of this.trials) {
      if (trial.verdict !== "passed") continue;
      this.trials.delete(trial);
      for (const kernel of kernels) if (!kernel.pipeline && !kernel.error) this.unready.add(kernel);
    }
  }

  /** Notes that what is recorded next uses the buffer. */
  expect(allocation: Allocation): void {
    if (allocation.arriving) this.arriving.add(allocation);
  }

  /** Notes the kernels and buffers that must be ready before the operation can be encoded. */
  await({ dispatches, reads, writes, trial }: RecordedOperation): void {
    // A trial ends, too, where a kernel never compiles.
    let kernels = this.unready;
    if (trial && trial.verdict !== "passed") {
      kernels = this.trials.get(trial) ?? new Set();
      this.trials.set(trial, kernels);
    }
    for (const { pipeline, uniforms } of dispatches) {
      if (!pipeline.pipeline) kernels.add(pipeline);
      this.expect(uniforms);
    }
    for (const { pooled } of reads) this.expect(pooled);
    for (const { pooled } of writes) this.expect(pooled);
  }

  /** Gives back what the batch holds, after it was submitted or given up. `defer` may do so later. */
  settle(pool: BufferPool, defer: (action: () => void) => void = (action) => action()): void {
    for (const action of this.afterwards) defer(action);
    for (const list of this.spare.values()) for (const pooled of list) defer(() => pool.release(pooled));
    this.afterwards.length = 0;
    this.spare.clear();
  }

  /** Nothing of it will run. Copies that wait get the error. */
  abandon(error: DeviceError): void {
    for (const { settle } of this.copies) settle(error);
  }
}

/**
 * Puts other operations in the place of those whose kernels failed their trial, and returns them. Of an operation that is divided the
 * first piece does all.
 */
function replaceFailed(lists: readonly RecordedOperation[][], batch: Batch): RecordedOperation[] {
  const replaced = new Set<RecordedOperation["again"]>();
  const others: RecordedOperation[] = [];
  for (const list of lists) {
    for (const [i, operation] of list.entries()) {
      const { trial, again, packs, error } = operation;
      if (trial?.verdict !== "failed" || error) continue;
      if (again && !replaced.has(again)) {
        replaced.add(again);
        others.push((list[i] = again(batch)));
      } else if (again || !operation.dispatches.every(({ pipeline }) => pipeline.pipeline)) {
        if (packs) packs.version = undefined;
        list[i] = { ...operation, dispatches: [], all: [], trial: undefined };
      }
    }
  }
  return others;
}
