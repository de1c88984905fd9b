/** The tensors of an engine: which are live, which of them scopes dispose of, and which were dropped. */
import { memoryOf, type TensorStorage } from "../backend/backend.js";
import type { DropWatch } from "./dropWatch.js";
import type { Hold } from "./hold.js";
import { Tensor } from "./tensor.js";

/** A scope, and what was made in it and not kept. */
export class Scope {
  readonly parent: Scope | undefined;
  readonly made = new Set<Hold>();
  closed = false;

  constructor(parent: Scope | undefined) {
    this.parent = parent;
  }
}

export interface LifetimeOptions {
  /** Gives memory back. */
  readonly release: (storage: TensorStorage) => void;
  /** Called with tensors that were dropped; undefined where no warning is wanted. */
  readonly watch: DropWatch | undefined;
}

export class Lifetimes {
  readonly #release: LifetimeOptions["release"];
  readonly #watch: DropWatch | undefined;
  readonly #live = new Set<Hold>();
  /** Of memory that several tensors have: how many besides one. */
  readonly #others = new Map<TensorStorage, number>();
  /** Scopes whose functions are running. What any engine object makes meanwhile belongs to the innermost. */
  readonly #running: Scope[] = [];
  readonly #registry = new FinalizationRegistry<Hold>((hold) => this.#onDropped(hold));
  readonly #readers = new FinalizationRegistry<ReadonlyMap<Hold, number>>((reads) => {
    for (const [hold, count] of reads) for (let i = 0; i < count; i++) this.endRead(hold);
  });

  constructor({ release, watch }: LifetimeOptions) {
    this.#release = release;
    this.#watch = watch;
  }

  get liveTensors(): number {
    return this.#live.size;
  }

  /** A hold on memory that other tensors have, all of it or a part. It is given back with the last of them. */
  share(shape: readonly number[], storage: TensorStorage): Hold {
    const memory = memoryOf(storage);
    this.#others.set(memory, (this.#others.get(memory) ?? 0) + 1);
    return this.hold(shape, storage);
  }

  /** A tensor's hold on new memory. */
  hold(shape: readonly number[], storage: TensorStorage): Hold {
    const hold: Hold = { shape, storage, stack: this.#watch?.stackHere(), readers: 0, isDropped: false };
    this.#live.add(hold);
    return hold;
  }

  /** Watches a new tensor. It belongs to `scope`, or else to the scope whose function is running. */
  watch(tensor: Tensor, hold: Hold, scope: Scope | undefined): void {
    this.#registry.register(tensor, hold);
    const owner = scope ?? this.runningScope;
    owner?.made.add(hold);
  }

  /** The innermost scope whose function is running. */
  get runningScope(): Scope | undefined {
    return this.#running.at(-1);
  }

  /** Calls `run`. What is made until it returns belongs to the scope. */
  within<Result>(scope: Scope, run: () => Result): Result {
    this.#running.push(scope);
    try {
      return run();
    } finally {
      this.#running.pop();
    }
  }

  /**
   * Calls `run` in a scope, keeps its result and closes the scope: when it returns or, where it returns a promise, once that
   * has settled. What others make while the promise is pending does not belong to the scope.
   */
  runIn<Result>(scope: Scope, run: () => Result): Result {
    let isPending = false;
    try {
      const result = this.within(scope, run);
      if (result instanceof Promise) {
        isPending = true;
        return this.#closeWith(scope, result as Promise<unknown>) as Result;
      }
      this.keep(scope, result);
      return result;
    } finally {
      if (!isPending) this.close(scope);
    }
  }

  async #closeWith(scope: Scope, pending: Promise<unknown>): Promise<unknown> {
    try {
      const result = await pending;
      this.keep(scope, result);
      return result;
    } finally {
      this.close(scope);
    }
  }

  /** Calls `run`. Where its result is useless, all that it made is disposed of. */
  attempt<Result>(run: () => Result, isUseful: (result: Result) => boolean): Result {
    const scope = new Scope(this.runningScope);
    let result: Result;
    try {
      result = this.within(scope, run);
      if (!isUseful(result)) this.close(scope);
    } finally {
      for (const hold of scope.made) scope.parent?.made.add(hold);
    }
    return result;
  }

  /**
   * What `work` makes in the scope that it gets belongs to the running scope once it has settled. Where it rejects and `isInVain`
   * holds by then, all of that is disposed of: nobody will ever get it.
   */
  async tentatively<Result>(work: (scope: Scope) => Promise<Result>, isInVain: () => boolean): Promise<Result> {
    const scope = new Scope(this.runningScope);
    try {
      return await work(scope);
    } catch (error) {
      if (isInVain()) this.close(scope);
      throw error;
    } finally {
      for (const hold of scope.made) scope.parent?.made.add(hold);
    }
  }

  /** Gives the memory back. Twice is harmless. */
  dispose(hold: Hold): void {
    const { storage } = hold;
    if (!storage) return;
    hold.isDropped = true;
    if (hold.readers > 0) return;
    hold.storage = undefined;
    this.#live.delete(hold);
    const memory = memoryOf(storage);
    const others = this.#others.get(memory) ?? 0;
    if (others > 1) this.#others.set(memory, others - 1);
    else this.#others.delete(memory);
    if (others === 0) this.#release(memory);
  }

  /** A reader is done. The memory goes with the last one, where the tensor was disposed of. */
  endRead(hold: Hold): void {
    hold.readers--;
    if (hold.isDropped) this.dispose(hold);
  }

  /** Ends all reads that are listed, by hold, once the reader was dropped. The list must not refer to the reader, or to tensors. */
  watchReader(reader: object, reads: ReadonlyMap<Hold, number>): void {
    this.#readers.register(reader, reads);
  }

  disposeAll(): void {
    for (const hold of this.#live) {
      hold.readers = 0;
      this.dispose(hold);
    }
  }

  /** Takes the tensors in `value` out of a scope. They belong to the enclosing scope then, if there is one. */
  keep(scope: Scope, value: unknown): void {
    for (const hold of holdsIn(value)) {
      if (!scope.made.delete(hold)) continue;
      if (scope.parent && !scope.parent.closed) scope.parent.made.add(hold);
    }
  }

  /** Ends a scope: disposes of what was made in it and not kept. */
  close(scope: Scope): void {
    scope.closed = true;
    for (const hold of scope.made) this.dispose(hold);
    scope.made.clear();
  }

  #onDropped(hold: Hold): void {
    if (!hold.storage) return;
    // Whoever reads it refers to the tensor: that is gone, too.
    hold.readers = 0;
    this.dispose(hold);
    this.#watch?.onDropped(hold);
  }
}

/** Holds of the tensors in a value: the value itself, or what arrays, maps, sets and objects hold, however deeply. */
function holdsIn(value: unknown): ReadonlySet<Hold> {
  const found = new Set<Hold>();
  const seen = new Set<unknown>();
  const left: unknown[] = [value];
  while (left.length > 0) {
    const one = left.pop();
    if (typeof one !== "object" || one === null || ArrayBuffer.isView(one) || seen.has(one)) continue;
    seen.add(one);
    const hold = Tensor.holdOf(one);
    if (hold) found.add(hold);
    else if (one instanceof Map || one instanceof Set) left.push(...one.values());
    else left.push(...(Object.values(one) as unknown[]));
  }
  return found;
}
