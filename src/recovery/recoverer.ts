/**
 * Gets an engine onto a new device when it has lost its own.
 *
 * What the engine holds of its device is behind one object, a backend. At a loss that object is given up, another one is made
 * on a new device, tensors with copies are put there and sequences are recorded there once more. What is called meanwhile waits
 * in a list, in the order of the calls.
 */
import type { CoreBackend, DeviceLoss, Recovery } from "../backend/backend.js";
import type { Wait } from "../backend/wait.js";
import { ArgumentError, DeviceLostError, textOf } from "../base/errors.js";
import { Waits } from "../base/waits.js";
import type { RecoverableStorage } from "./storage.js";

/** Pauses before the attempts to get a device, in milliseconds: a driver that was reset, or a browser's GPU process, needs a while. */
const PAUSES = [0, 100, 400, 1500, 4000, 8000];

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What callers get of `engine.lost`. */
class LossPromise {
  resolve: (loss: DeviceLoss) => void = () => undefined;
  readonly promise = new Promise<DeviceLoss>((settle) => (this.resolve = settle));
}

/** What is recorded once more on a new device. */
export interface Rebuildable {
  /** Never rejects. */
  rebuild(): Promise<void>;
}

export class Recoverer<Own extends CoreBackend> {
  /** The backend of the device that there is. While there is none it is the last one, which still knows its device. */
  inner: Own;
  /** Storages whose tensors were not disposed of. */
  readonly storages = new Set<RecoverableStorage>();
  readonly #renew: () => Promise<Own>;
  readonly #rebuildables = new Set<WeakRef<Rebuildable>>();
  /** Of the device that there is: they end with it. */
  #waits = new Waits();
  /** Counts devices, and their losses. */
  #generation = 0;
  /** Whether the inner backend was not disposed of. */
  #isLive = false;
  /** What was called while there was no device. */
  #later: (() => void)[] = [];
  #recovering: Promise<Recovery> | undefined;
  #loss = new LossPromise();
  /** Why there will be no device any more. */
  #failure: DeviceLostError | undefined;
  /** A loss that cost tensors, or changes of tensors, which no wait has rejected with yet. */
  #unreported: Error | undefined;
  #disposed = false;

  /** @param renew makes a backend on a new device */
  constructor(inner: Own, renew: () => Promise<Own>) {
    this.inner = inner;
    this.#renew = renew;
    this.#adopt(inner);
  }

  /** Resolves when the device that there is now is lost. */
  get lost(): Promise<DeviceLoss> {
    return this.#loss.promise;
  }

  /** Counts devices: what belongs to an earlier one is gone. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether there is a device, as far as is known. */
  get hasDevice(): boolean {
    return !this.#recovering && !this.#failure;
  }

  /** The backend, for what needs a device at once. Throws while there is none. */
  now(): Own {
    if (this.#failure) throw this.#failure;
    if (!this.#recovering) return this.inner;
    throw new DeviceLostError(
      "the device was lost and another one is not there yet; wait for it: await (await engine.lost).recovered",
    );
  }

  /** Whether calls must wait. `action` is then called once there is a device, or there never will be. It must not throw. */
  defer(action: () => void): boolean {
    if (!this.#recovering) return false;
    this.#later.push(action);
    return true;
  }

  /** Starts `work` once there is a device, after what was called before: at once where there is one. */
  async inOrder<Result>(work: () => Promise<Result>): Promise<Result> {
    if (!this.#recovering) return await work();
    return await new Promise((resolve) => this.#later.push(() => resolve(work())));
  }

  /** The result of `work` on the device that there is. Rejects with a DeviceLostError when that is lost meanwhile. */
  async on<Result>(work: (inner: Own) => Promise<Result>): Promise<Result> {
    return await this.#waits.on(work(this.now()));
  }

  /** Resolves, never rejects, once there is a device, or there never will be. */
  async settled(): Promise<void> {
    await this.#recovering?.catch(() => undefined);
  }

  /** A device was found to be lost, maybe before it has said so. */
  loseNow(error: DeviceLostError, generation: number): void {
    this.#onLost(generation, { reason: "unknown", message: error.message });
  }

  /** Waits for all work. Rejects, once, where a loss cost tensors. */
  async finish(wait?: Wait): Promise<void> {
    const error = this.#unreported;
    this.#unreported = undefined;
    if (error) throw error;
    try {
      await this.on((inner) => inner.finish(wait));
    } catch (cause) {
      if (cause instanceof DeviceLostError) this.#unreported = undefined;
      throw cause;
    }
  }

  /** Makes the next wait for all work reject with the error, where it does not with another. */
  report(error: Error): void {
    this.#unreported ??= error;
  }

  /** Has a sequence recorded again on every new device, while it lives. */
  register(rebuildable: Rebuildable): void {
    for (const reference of this.#rebuildables) if (!reference.deref()) this.#rebuildables.delete(reference);
    this.#rebuildables.add(new WeakRef(rebuildable));
  }

  dispose(): void {
    this.#disposed = true;
    this.#later = [];
    this.storages.clear();
    this.#giveUp();
  }

  /** Gives the device up. */
  #giveUp(): void {
    if (this.#isLive) this.inner.dispose();
    this.#isLive = false;
  }

  #adopt(inner: Own): void {
    this.inner = inner;
    this.#isLive = true;
    this.#waits = new Waits();
    const generation = ++this.#generation;
    // In Node the device's promise is never collected while the device lives: it must not refer to an engine.
    const weak = new WeakRef(this);
    void inner.lost.then((loss) => {
      const recoverer = weak.deref();
      if (recoverer) recoverer.#onLost(generation, loss);
    });
  }

  #onLost(generation: number, { reason, message }: Pick<DeviceLoss, "reason" | "message">): void {
    if (generation !== this.#generation) return;
    this.#generation++;
    if (this.#disposed) {
      this.#loss.resolve({ reason, message, recovered: undefined });
      return;
    }
    const error = new DeviceLostError(`the device was lost (${reason}): ${message || "no reason given"}`);
    this.#waits.end(() => error);
    const lost = [...this.storages].filter((storage) => storage.lose(error)).length;
    const tensors = lost === 1 ? "a tensor had no copy" : `${String(lost)} tensors had no copy`;
    if (lost > 0) this.#unreported ??= new DeviceLostError(`${error.message}; ${tensors}`, { cause: error });
    this.#giveUp();
    if (this.#recovering) return;
    const recovered = this.#recover(error);
    recovered.catch(() => undefined);
    this.#recovering = recovered;
    this.#loss.resolve({ reason, message, recovered });
  }

  async #recover(loss: DeviceLostError): Promise<Recovery> {
    let cause: unknown = loss;
    for (const milliseconds of PAUSES) {
      await pause(milliseconds);
      if (this.#disposed) throw loss;
      try {
        return await this.#attempt(loss);
      } catch (error) {
        cause = error;
        this.#giveUp();
        // What the caller handed in is no device: the next one is none either.
        if (error instanceof ArgumentError) break;
      }
    }
    this.#failure = new DeviceLostError(`${loss.message}; and there is no other: ${textOf(cause)}`, { cause });
    this.#resume();
    throw this.#failure;
  }

  async #attempt(loss: DeviceLostError): Promise<Recovery> {
    const next = await this.#renew();
    if (this.#disposed) {
      next.dispose();
      throw loss;
    }
    this.#adopt(next);
    await this.#waits.on(this.#restore(next));
    if (!this.#isLive) throw loss;
    const storages = [...this.storages];
    this.#resume();
    return {
      restored: storages.filter(({ copy, error }) => copy && !error).length,
      lost: storages.filter(({ error }) => error).map((storage) => storage.asLost()),
    };
  }

  async #restore(next: Own): Promise<void> {
    for (const storage of this.storages) storage.restore(next);
    for (const reference of this.#rebuildables) await reference.deref()?.rebuild();
    try {
      await next.finish();
    } catch (error) {
      if (error instanceof DeviceLostError) throw error;
      // A tensor for which there is no room has its own error; the next wait for all work has it too.
      this.#unreported ??= new DeviceLostError(`not all came back after the device was lost: ${textOf(error)}`);
    }
  }

  /** There is a device, or there never will be: what waited for that goes on. */
  #resume(): void {
    this.#recovering = undefined;
    if (!this.#failure) this.#loss = new LossPromise();
    const actions = this.#later;
    this.#later = [];
    for (const action of actions) action();
  }
}
