/** Calls that wait for work: how far it is, and that it is called off. */
import { CancelError, require, show, textOf } from "../base/errors.js";

/** How far work is. Predicted durations are its measure, so only the quotient means something. */
export interface Progress {
  /** From 0 to `total`, never less than before. */
  readonly done: number;
  /** The same in all calls. */
  readonly total: number;
}

/** What `AbortController` gives. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Options of calls that wait. */
export interface WaitOptions {
  /**
   * Calls the work off that this call waits for and that is not on the device's queue yet: the call rejects with the signal's
   * reason, and what would have been computed rejects with a CancelError when it is read. All else stays as it was. What other
   * calls read meanwhile is computed.
   */
  readonly signal?: CancelSignal;
  /** Told how far the work is: at the beginning, as parts of long work are done, and at the end. The call rejects with what it throws. */
  readonly onProgress?: (progress: Progress) => void;
}

/** Throws unless these are what {@link WaitOptions} says. */
export function requireWaitOptions({ signal, onProgress }: WaitOptions): void {
  require(onProgress === undefined || typeof onProgress === "function", () => {
    return `onProgress is ${show(onProgress)}; expected a function that takes { done, total }`;
  });
  require(signal === undefined ||
    typeof (signal as Partial<CancelSignal> | null)?.addEventListener === "function", () => {
    return `signal is ${show(signal)}; expected an AbortSignal, such as new AbortController().signal`;
  });
}

/** A call that waits, as a backend sees it. */
export class Wait {
  /** The measure of all its work: the backend sets it. */
  total = 1;
  /** Set once it is called off, before it begins or later. */
  cancelled: CancelError | undefined;
  /** Drops what has not begun: the backend sets it. */
  onCancel: ((error: CancelError) => void) | undefined;
  readonly #report: (progress: Progress) => void;
  #reported = -1;

  constructor(report: (progress: Progress) => void) {
    this.#report = report;
  }

  report(done: number): void {
    if (done <= this.#reported) return;
    this.#reported = done;
    this.#report({ done, total: this.total });
  }

  cancel(reason: unknown): void {
    const error = new CancelError(`never computed: the work was called off (${textOf(reason)})`, { cause: reason });
    this.cancelled = error;
    this.onCancel?.(error);
  }
}
