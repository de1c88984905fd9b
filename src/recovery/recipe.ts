/** What a sequence records, so that it can be recorded once more on another device. */
import type { RoleStorages } from "../backend/backend.js";
import { entriesOf } from "../base/entries.js";
import type { SolverChoice } from "../planning/choice.js";
import type { ConvOperation } from "../problem/operation.js";
import type { AnyBackend, RecoverableStorage } from "./storage.js";

interface RunStep {
  readonly operation: ConvOperation;
  readonly operands: RoleStorages<RecoverableStorage>;
  readonly choice: SolverChoice | undefined;
  readonly key: string | undefined;
  readonly results: readonly RecoverableStorage[];
}

/** Operands on the device that there is. */
export function onDevice(operands: RoleStorages<RecoverableStorage>): RoleStorages {
  const inner: RoleStorages = {};
  for (const [role, storage] of entriesOf(operands)) inner[role] = storage.onDevice();
  return inner;
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

  /** Notes that a storage is released, where the sequence made it. */
  release(storage: RecoverableStorage): void {
    if (this.#made.has(storage)) this.steps.push({ release: storage });
  }

  /** What it reads and does not make. */
  get operands(): ReadonlySet<RecoverableStorage> {
    const read = this.steps.flatMap((step) => ("operands" in step ? Object.values(step.operands) : []));
    return new Set(read.filter((storage) => !this.#made.has(storage)));
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
        const { operation, operands, choice, key, results } = step;
        const made = backend.run(operation, onDevice(operands), choice, key);
        for (const [i, storage] of results.entries()) storage.inner = made[i];
      }
    }
  }
}
