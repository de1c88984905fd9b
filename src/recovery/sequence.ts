/** A compiled sequence that is recorded once more on every new device. */
import type { Backend, Interop, Sequence } from "../backend/backend.js";
import { DeviceError, DeviceLostError, textOf } from "../base/errors.js";
import type { Recipe } from "./recipe.js";
import type { Rebuildable, Recoverer } from "./recoverer.js";
import { lostAmong, type RecoverableStorage } from "./storage.js";

/** A backend with a GPU. */
export type DeviceBackend = Backend & { readonly interop: Interop };

export class RecoveringSequence implements Sequence, Rebuildable {
  readonly #recoverer: Recoverer<Backend>;
  readonly #recipe: Recipe;
  readonly #operands: ReadonlySet<RecoverableStorage>;
  readonly #results: ReadonlySet<RecoverableStorage>;
  readonly #updates: ReadonlySet<RecoverableStorage>;
  #inner: Sequence;
  /** Why it is not there on the device that there is. */
  #error: DeviceError | undefined;
  #disposed = false;
  /** The backend on which it is being recorded. */
  #rebuilding: Backend | undefined;

  constructor(recoverer: Recoverer<Backend>, recipe: Recipe, inner: Sequence) {
    this.#recoverer = recoverer;
    this.#recipe = recipe;
    this.#inner = inner;
    this.#operands = recipe.operands;
    this.#results = recipe.results;
    this.#updates = recipe.updates;
  }

  /** Asked again after a wait. */
  #isGone(): boolean {
    return this.#disposed;
  }

  get dispatches(): number {
    return this.#inner.dispatches;
  }

  run(): void {
    if (this.#recoverer.defer(() => this.#runLater())) return;
    this.#recoverer.now();
    if (this.#error) {
      // There may be room for it by now.
      void this.rebuild();
      throw this.#error;
    }
    const lost = lostAmong(this.#operands);
    if (lost && this.#results.size === 0) throw lost;
    for (const storage of this.#results) {
      storage.error = lost;
      storage.version++;
    }
    if (lost) return;
    const { generation } = this.#recoverer;
    try {
      this.#inner.run();
      for (const storage of this.#updates) storage.version++;
    } catch (error) {
      if (!(error instanceof DeviceLostError)) throw error;
      // The device has not said so yet.
      this.#recoverer.loseNow(error, generation);
      this.run();
    }
  }

  #runLater(): void {
    try {
      this.run();
    } catch (error) {
      const cause = error instanceof Error ? error : new DeviceError(textOf(error));
      for (const storage of this.#results) storage.error = cause;
      if (this.#results.size === 0) this.#recoverer.report(cause);
    }
  }

  async rebuild(): Promise<void> {
    const { inner } = this.#recoverer;
    if (this.#isGone() || this.#rebuilding === inner) return;
    this.#rebuilding = inner;
    try {
      const sequence = await replay(inner, this.#recipe);
      if (this.#isGone() || this.#recoverer.inner !== inner) {
        sequence.dispose();
        return;
      }
      this.#inner = sequence;
      this.#error = undefined;
    } catch (cause) {
      const reason = textOf(cause);
      this.#error = new DeviceError(
        `a sequence could not be compiled on the new device: ${reason}; run() tries once more, for the next call`,
        { cause },
      );
    } finally {
      if (this.#rebuilding === inner) this.#rebuilding = undefined;
    }
  }

  dispose(): void {
    this.#disposed = true;
    if (!this.#recoverer.defer(() => this.#inner.dispose())) this.#inner.dispose();
  }
}

/** Compiles a sequence on a new device. What it reads and has no values is zeros there, until it is written to. */
export async function replay(backend: Backend, recipe: Recipe): Promise<Sequence> {
  const { interop } = backend;
  if (!interop) throw new DeviceError("a sequence needs a WebGPU device");
  for (const storage of recipe.operands) {
    storage.inner ??= storage.allocate(backend, new ArrayBuffer(storage.bytes));
  }
  const sequence = await interop
    .compile(() => recipe.replay(backend))
    .catch((error: unknown) => {
      giveBack(recipe.results, backend, () => true);
      throw error;
    });
  for (const storage of recipe.results) {
    if (storage.inner && storage.copy && !storage.released) {
      interop.restore(storage.inner, storage.storedValues(storage.copy));
      storage.error = undefined;
    }
  }
  // What was disposed of meanwhile, a run of the sequence then says.
  giveBack([...recipe.operands, ...recipe.results], backend, ({ released }) => released);
  return sequence;
}

function giveBack(
  storages: Iterable<RecoverableStorage>,
  backend: Backend,
  isMeant: (storage: RecoverableStorage) => boolean,
): void {
  for (const storage of storages) {
    const { inner } = storage;
    if (!inner || !isMeant(storage)) continue;
    storage.inner = undefined;
    backend.release(inner);
  }
}
