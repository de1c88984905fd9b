/** What callers of an engine wait for, for as long as it lives. */
import { DeviceError } from "./errors.js";

/**
 * Ends once, when the engine is disposed of. Whoever waits hears so at once, and not when a destroyed device gets round to
 * it; and never that something was done which may not have been.
 */
export class Waits {
  readonly #waiting = new Set<() => void>();
  #ended = false;

  get ended(): boolean {
    return this.#ended;
  }

  /**
   * What `work` gives, if that is before the end. Else rejects with a DeviceError, and what becomes of the work then, a
   * rejection too, nobody hears.
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
