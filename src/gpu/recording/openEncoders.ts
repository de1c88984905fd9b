/** Callers' encoders that hold work of the engine and are not known to be submitted. */
export class OpenEncoders {
  #count = 0;
  #waiting: (() => void)[] = [];

  /** Whether there are any. Their work may run later than all that the engine submits meanwhile. */
  get any(): boolean {
    return this.#count > 0;
  }

  open(): void {
    this.#count++;
  }

  /** Keeps an action until no encoder is open. */
  defer(action: () => void): void {
    this.#waiting.push(action);
  }

  /** One was submitted or given up. Returns the kept actions if it was the last. */
  close(): readonly (() => void)[] {
    this.#count--;
    if (this.#count > 0) return [];
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}
