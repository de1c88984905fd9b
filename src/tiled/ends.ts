/** What ends a call early: its signal, and the loss of the device. */
import type { DeviceLoss } from "../backend/backend.js";
import type { CancelSignal } from "../backend/wait.js";
import { DeviceLostError } from "../base/errors.js";
import { Waits } from "../base/waits.js";
import type { TileHost } from "./host.js";

/** Waits for work that a call needs, until something ends the call. */
export class Ends {
  /** Aborts once the call is over, however it ends. */
  readonly over = new AbortController();
  readonly #signal: CancelSignal | undefined;
  readonly #waits = new Waits();
  #watched: Promise<DeviceLoss> | undefined;
  #loss: DeviceLoss | undefined;
  readonly #onAbort = (): void => this.#end(this.#signal?.reason);

  constructor(signal: CancelSignal | undefined) {
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted === true) this.#onAbort();
  }

  /** The result of `work`, which may be a value; rejects as soon as the call is to end. */
  async on<Result>(work: Result | Promise<Result>): Promise<Result> {
    return await this.#waits.on(Promise.resolve(work));
  }

  /**
   * Ends the call when the device that there is now is lost, if the engine does not recover.
   *
   * @returns gives the loss, where there was one since
   */
  watch({ backend: { lost } }: TileHost): () => DeviceLoss | undefined {
    if (this.#watched !== lost) {
      this.#watched = lost;
      this.#loss = undefined;
      // The device's promise lives as long as the device: it must not refer to an engine, nor to what a call holds.
      const weak = new WeakRef(this);
      void lost.then((loss) => {
        const ends = weak.deref();
        if (ends) ends.#lose(loss, lost);
      });
    }
    return () => (this.#watched === lost ? this.#loss : undefined);
  }

  #lose(loss: DeviceLoss, lost: Promise<DeviceLoss>): void {
    if (this.#watched !== lost) return;
    this.#loss = loss;
    const { reason, message, recovered } = loss;
    const text = `the device was lost (${reason}): ${message || "no reason given"}`;
    if (!recovered) this.#end(new DeviceLostError(text));
  }

  #end(reason: unknown): void {
    if (!this.#waits.ended) this.#waits.end(() => reason as Error);
  }

  /** The call is over. */
  close(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#watched = undefined;
    this.over.abort();
  }
}
