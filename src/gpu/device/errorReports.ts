/** Errors of a device that come after the call that caused them. The next wait for the device throws the first. */
import { CancelError, DeviceError } from "../../base/errors.js";

export class ErrorReports {
  readonly #device: GPUDevice;
  readonly #onFailure: () => void;
  readonly #listener: (event: GPUUncapturedErrorEvent) => void;
  /** The first one that was not thrown yet. */
  #reported: Error | undefined;

  /**
   * @param onFailure called where recorded work may not have run
   * @param hearsDevice whether errors that no scope caught are reported, too
   */
  constructor(device: GPUDevice, onFailure: () => void, hearsDevice = true) {
    this.#device = device;
    this.#onFailure = onFailure;
    this.#listener = listenerFor(new WeakRef(this));
    if (hearsDevice) device.addEventListener("uncapturederror", this.#listener);
  }

  report(error: Error): void {
    this.#reported ??= error;
  }

  /** Reports an operation or a submission that failed. Whoever called it off knows. */
  fail(error: Error): void {
    if (!(error instanceof CancelError)) this.report(error);
    this.#onFailure();
  }

  /** Throws the first error that was reported, if there is one, and forgets it. */
  throwReported(): void {
    const reported = this.#reported;
    this.#reported = undefined;
    if (reported) throw reported;
  }

  dispose(): void {
    this.#device.removeEventListener("uncapturederror", this.#listener);
  }
}

/** Listens for errors that no scope caught. In Node a listener is never collected: it must not refer to an engine or a device. */
function listenerFor(reports: WeakRef<ErrorReports>): (event: GPUUncapturedErrorEvent) => void {
  return ({ error }) => reports.deref()?.fail(new DeviceError(`the device reported: ${error.message}`));
}
