/** Warns of tensors that were dropped and not disposed of. `createEngine({ development: true })` loads it. */
import { placeOf, stackHere } from "../base/stack.js";
import type { Hold } from "./hold.js";

const MOST_PLACES = 3;

export class DropWatch {
  readonly #warn: (message: string) => void;
  readonly #dropped: Hold[] = [];
  #warned = false;

  /** @param warn called once, about tensors that were dropped and where they were made */
  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  /** Where a tensor is made. */
  stackHere(): string | undefined {
    return stackHere();
  }

  /** Notes a hold whose tensor was collected. */
  onDropped(hold: Hold): void {
    // One warning for all that are collected at once.
    if (!this.#warned && this.#dropped.push(hold) === 1) queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    this.#warned = true;
    const places = new Map<string, number>();
    for (const { shape, stack } of this.#dropped) {
      const place = `[${shape.join(", ")}] ${placeOf(stack)}`;
      places.set(place, (places.get(place) ?? 0) + 1);
    }
    const most = [...places].sort(([, one], [, other]) => other - one).slice(0, MOST_PLACES);
    const count = this.#dropped.length;
    this.#warn(
      `${count === 1 ? "a tensor was" : `${String(count)} tensors were`} never disposed of; the memory came back when the ` +
        "garbage was collected, which does not know how much it is. Declare them with using, call dispose(), or compute " +
        `within engine.scope(). Made: ${most.map(([place, times]) => `${String(times)} of shape ${place}`).join("; ")}`,
    );
    this.#dropped.length = 0;
  }
}
