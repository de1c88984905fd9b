/** What a sequence records, so that it can be recorded once more on another device. */
import { memoryOf, type TensorStorage } from "../backend/backend.js";
import type { AnyBackend, RecoverableStorage } from "./storage.js";

/** An operation, on whichever device. */
export interface RunStep {
  /** By name or role. */
  readonly operands: Readonly<Record<string, RecoverableStorage>>;
  /** Of the operands, those that it changes in place. None when absent. */
  readonly updates?: readonly RecoverableStorage[];
  readonly results: readonly RecoverableStorage[];
  /** Records it, on the operands' memory on the device; returns new memory, in the order of the results. */
  readonly run: (backend: AnyBackend, operands: Readonly<Record<string, TensorStorage>>) => TensorStorage[];
}

/** Operands on the device that there is. */
export function onDevice(
  operands: Readonly<Record<string, RecoverableStorage>>,
): Readonly<Record<string, TensorStorage>> {
  return Object.fromEntries(Object.entries(operands).map(([name, storage]) => [name, storage.onDevice()]));
}

/** Gives memory back within the sequence. */
interface ReleaseStep {
  readonly release: RecoverableStorage;
}

export class Recipe {
  readonly steps: (RunStep | ReleaseStep)[] = [];
  /** What it makes. */
  readonly #made = new Set<RecoverableStorage>();

  run(step: RunStep): void {
    this.steps.push(step);
    for (const storage of step.results) this.#made.add(storage);
  }

  /** What it changes in place. */
  get updates(): ReadonlySet<RecoverableStorage> {
    return new Set(this.steps.flatMap((step) => ("run" in step ? (step.updates ?? []) : [])));
  }

  /** Notes that a storage is released, where the sequence made it. */
  release(storage: RecoverableStorage): void {
    if (this.#made.has(storage)) this.steps.push({ release: storage });
  }

  /** What it reads and does not make. */
  get operands(): ReadonlySet<RecoverableStorage> {
    const read = this.steps.flatMap((step) => ("run" in step ? Object.values(step.operands) : []));
    return new Set(read.map(memoryOf).filter((storage) => !this.#made.has(storage)));
  }

  /** What it makes and does not give back. */
  get results(): ReadonlySet<RecoverableStorage> {
    const results = new Set(this.#made);
    for (const step of this.steps) if ("release" in step) results.delete(step.release);
    return results;
  }

  /** Records all of it. Every operand must be there. */
  replay(backend: AnyBackend): void {
    for (const step of this.steps) {
      if ("release" in step) {
        const { inner } = step.release;
        step.release.inner = undefined;
        if (inner) backend.release(inner);
      } else {
        const { operands, results, run } = step;
        const made = run(backend, onDevice(operands));
        for (const [i, storage] of results.entries()) storage.inner = made[i];
      }
    }
  }
}
