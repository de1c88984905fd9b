/** A map that keeps what was used last. */

export class Recent<Value> {
  readonly #most: number;
  /** In the order of their last use. */
  readonly #values = new Map<string, Value>();

  /** @param most entries that are kept */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: string): Value | undefined {
    const value = this.#values.get(key);
    if (value !== undefined) {
      this.#values.delete(key);
      this.#values.set(key, value);
    }
    return value;
  }

  /** Adds an entry. Where there are too many, the one leaves whose last use is longest ago. */
  set(key: string, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= this.#most) return;
      this.#values.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#values.delete(key);
  }
}
