/** Waits: the promises that callers of an engine get. They end with the engine, or with its device. */
import { DeviceError } from "./errors.js";

const disposed = (): Error => new DeviceError("the engine was disposed before this was done; await it first");

/**
 * Ends once, when the engine is disposed of. All promises then reject at once: a destroyed device may answer late, or say that
 * work was done which was not.
 */
export class Waits {
  readonly #waiting = new Set<() => void>();
  /** Gives the error of what waits; undefined before the end. */
  #why: (() => Error) | undefined;

  get ended(): boolean {
    return this.#why !== undefined;
  }

  /**
   * The result of `work`, if it comes before the end. Otherwise the promise rejects with the error of the end, and the outcome
   * of the work is dropped, a rejection too.
   */
  on<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const onEnd = (): void => reject((this.#why ?? disposed)());
      if (this.#why) onEnd();
      else this.#waiting.add(onEnd);
      work.then(resolve, reject).finally(() => this.#waiting.delete(onEnd));
    });
  }

  /** @param why gives the error of what waits; a DeviceError that says that the engine was disposed of when absent */
  end(why = disposed): void {
    this.#why = why;
    for (const onEnd of this.#waiting) onEnd();
    this.#waiting.clear();
  }
}
