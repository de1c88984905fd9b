/** Callers' encoders that work was written into, and that are not known to be submitted. */
export class OpenEncoders {
  #count = 0;
  #waiting: (() => void)[] = [];

  /** Whether there are any. What they use may run later than all that is submitted by then. */
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

  /** One was submitted or given up: gives the actions that waited, where it was the last. */
  close(): readonly (() => void)[] {
    this.#count--;
    if (this.#count > 0) return [];
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}
