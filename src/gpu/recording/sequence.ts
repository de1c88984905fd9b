/** Operations that are recorded once and replayed. They are planned, compiled and bound once: a run costs only the encoding. */
import { memoryOf, type Sequence } from "../../backend/backend.js";
import { require, TensorError } from "../../base/errors.js";
import { type Batch, isCurrent, type RecordedOperation } from "./batch.js";
import { failStorage, type GpuStorage, isKnownFinite } from "../device/storage.js";
import type { Recorder } from "./recorder.js";

export class GpuSequence implements Sequence {
  readonly #recorder: Recorder;
  readonly #batch: Batch;
  readonly #requireDevice: () => void;
  /** Storages that must live while the sequence may run: what it reads, and its results that were kept. */
  readonly #lasting: readonly GpuStorage[];
  #hasRun = false;
  #disposed = false;

  /** @param batch to be replayed. Its memory belongs to the sequence from here on. */
  constructor(recorder: Recorder, batch: Batch, requireDevice: () => void) {
    this.#recorder = recorder;
    this.#batch = batch;
    this.#requireDevice = requireDevice;
    const all = new Set(batch.operations.flatMap(({ reads, writes }) => [...reads, ...writes].map(memoryOf)));
    // What was made and disposed of while recording is the sequence's own.
    this.#lasting = [...all].filter(({ pooled, released }) => !(released && batch.acquired.has(pooled)));
  }

  get dispatches(): number {
    return this.#batch.operations.reduce((sum, { dispatches }) => sum + dispatches.length, 0);
  }

  /**
   * Resolves once every kernel is compiled and all buffers have arrived. Where one fails it gives the memory back and rejects
   * with the reason.
   */
  async compiled(): Promise<void> {
    const buffers = [...this.#batch.arriving];
    await this.#batch.ready();
    const { operations } = this.#batch;
    const parts = operations.flatMap(({ dispatches }) =>
      dispatches.flatMap(({ pipeline, uniforms }) => [pipeline, uniforms]),
    );
    const error = [...operations, ...parts, ...buffers].find((one) => one.error !== undefined)?.error;
    if (!error) return;
    this.dispose();
    for (const { writes } of this.#batch.operations) for (const storage of writes) failStorage(storage, error);
    throw error;
  }

  run(): void {
    this.#requireDevice();
    // The other sequence would use memory that this one gives back when it is disposed of.
    require(!this.#recorder.open.sequence, () => {
      return "run() of a compiled sequence was called while another is recorded; expected the operations themselves there";
    });
    if (this.#disposed) throw new TensorError("the compiled sequence was disposed; expected a live one");
    for (const { released } of this.#lasting) {
      if (released) {
        throw new TensorError(
          "a tensor of the compiled sequence was disposed; expected what it reads, and its results, to live while it runs",
        );
      }
    }
    if (!this.#hasRun) this.#release();
    for (const storage of this.#lasting) this.#recorder.requireUsable(storage);
    this.#hasRun = true;
    for (const operation of this.#batch.operations) this.#replay(operation);
  }

  /** Records an operation once more. One that packs weights is left out while they are unchanged. */
  #replay(operation: RecordedOperation): void {
    if (operation.packs && this.#recorder.open.isForQueue && isCurrent(operation.packs)) return;
    const { repaired } = operation;
    const isUnsafe = repaired && !isKnownFinite(repaired.weights);
    this.#recorder.record(isUnsafe ? { ...operation, ...repaired.operation() } : operation);
    for (const storage of operation.writes) storage.version++;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#recorder.memory.forget(this.#batch);
  }

  /** From the first run on its results can be used like any others. */
  #release(): void {
    for (const { writes } of this.#batch.operations) {
      for (const storage of writes) if (storage.unsubmitted === this.#batch) storage.unsubmitted = undefined;
    }
  }
}
