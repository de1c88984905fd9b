/** The batch that is being recorded, and its target. */
import { require } from "../../base/errors.js";
import { Batch } from "./batch.js";

/** The device's queue, a caller's encoder, or a sequence. */
export type Target = "queue" | "encoder" | "sequence";

export class OpenBatch {
  #batch = new Batch();
  #target: Target = "queue";
  #held = false;

  get batch(): Batch {
    return this.#batch;
  }

  /** The sequence that is being recorded; undefined while none is. */
  get sequence(): Batch | undefined {
    return this.#target === "sequence" ? this.#batch : undefined;
  }

  /** Whether what is recorded runs for certain, and in the order of recording. */
  get isForQueue(): boolean {
    return this.#target === "queue";
  }

  /** Whether what the host knows of tensors holds when it runs: a caller's encoder may be submitted after later writes. */
  get knows(): boolean {
    return this.#target !== "encoder";
  }

  /** Whether a callback is recording. All of its work belongs together. */
  get isInCallback(): boolean {
    return this.#held || !this.isForQueue;
  }

  /** Throws while a callback records. */
  requireOutside(what: string): void {
    require(!this.isInCallback, () => {
      return `${what} is not possible while a callback records; expected nothing but operations in it`;
    });
  }

  /** The batch, which is complete. Another one is open from here on. */
  take(): Batch {
    const batch = this.#batch;
    this.#batch = new Batch();
    return batch;
  }

  /** Calls `record`: all that it records stays in this batch, however much it is. */
  hold(record: () => void): void {
    this.#held = true;
    try {
      record();
    } finally {
      this.#held = false;
    }
  }

  /** Calls `record`, which records into `batch`, a batch of its own. */
  recordInto(batch: Batch, target: Target, record: () => void): void {
    const outer = this.#batch;
    this.#batch = batch;
    this.#target = target;
    try {
      record();
    } finally {
      this.#target = "queue";
      this.#batch = outer;
    }
  }
}
