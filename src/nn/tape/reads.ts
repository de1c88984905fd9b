/** What the steps of a tape read: it keeps its memory until they have. */
import type { Hold } from "../../tensor/hold.js";
import type { Lifetimes } from "../../tensor/lifetimes.js";
import { Tensor } from "../../tensor/tensor.js";
import type { Step } from "./step.js";

export class Reads {
  readonly #lifetimes: Lifetimes;
  /** How many steps read it. */
  readonly #steps = new Map<Hold, number>();

  /** @param tape whose steps they are. Where it is dropped, its reads end. */
  constructor(lifetimes: Lifetimes, tape: object) {
    this.#lifetimes = lifetimes;
    lifetimes.watchReader(tape, this.#steps);
  }

  /** A step was recorded. */
  begin(step: Step): void {
    for (const hold of holdsOf(step)) {
      hold.readers++;
      this.#steps.set(hold, (this.#steps.get(hold) ?? 0) + 1);
    }
  }

  /** Steps read nothing more of what they saved. */
  end(steps: Iterable<Step>): void {
    for (const step of steps) {
      for (const hold of holdsOf(step)) {
        const left = (this.#steps.get(hold) ?? 0) - 1;
        if (left > 0) this.#steps.set(hold, left);
        else this.#steps.delete(hold);
        this.#lifetimes.endRead(hold);
      }
    }
  }
}

/** What a step saved, each once. */
const holdsOf = ({ saved }: Step): ReadonlySet<Hold> => new Set(saved.flatMap((tensor) => Tensor.holdOf(tensor) ?? []));
