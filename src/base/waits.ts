/** Waits: the promises that callers of an engine get. They end with the engine. */
import { DeviceError } from "./errors.js";

/**
 * Ends once, when the engine is disposed of. All promises then reject at once: a destroyed device may answer late, or say that
 * work was done which was not.
 */
export class Waits {
  readonly #waiting = new Set<() => void>();
  #ended = false;

  get ended(): boolean {
    return this.#ended;
  }

  /**
   * The result of `work`, if it comes before the end. Otherwise the promise rejects with a DeviceError, and the outcome of the
   * work is dropped, a rejection too.
   */
  on<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const onEnd = (): void => reject(new DeviceError("the engine was disposed before this was done; await it first"));
      if (this.#ended) onEnd();
      else this.#waiting.add(onEnd);
      work.then(resolve, reject).finally(() => this.#waiting.delete(onEnd));
    });
  }

  end(): void {
    this.#ended = true;
    for (const onEnd of this.#waiting) onEnd();
    this.#waiting.clear();
  }
}
