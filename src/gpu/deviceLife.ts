/** Whether a device can still be used, and why not: what waits for a lost device resolves as if it were done. */
import { DeviceError } from "../base/errors.js";
import { deviceFailed, disposedError, isPlatformError } from "./deviceErrors.js";
import type { ReadbackRing } from "./readback.js";

/** How long after a failure a device may take to say that it is lost. */
const LOSS_MILLISECONDS = 500;
const PROBE_BYTES = 4;

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class DeviceLife {
  readonly #readback: ReadbackRing;
  readonly #loss: Loss;
  #disposed = false;

  constructor(device: GPUDevice, readback: ReadbackRing) {
    this.#readback = readback;
    this.#loss = lossOf(device);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** From here on everything that needs the device is refused, and what waits for it rejects. */
  dispose(): void {
    this.#disposed = true;
  }

  /** Throws a DeviceError if the device is known to be gone. */
  require(): void {
    if (this.#disposed) throw disposedError();
    if (this.#loss.error) throw this.#loss.error;
  }

  /** Asks the device; rejects with a DeviceError if it is gone. Mapping is what a lost device does not pretend to do. */
  async requireAlive(): Promise<void> {
    this.require();
    await this.#readback.take(this.#readback.acquire(PROBE_BYTES), PROBE_BYTES);
    this.require();
  }

  /**
   * What `wait` gives. Where the device makes it reject, then with a DeviceError: its loss, if that is behind it. Errors of
   * the caller's own callbacks pass through.
   */
  async guard<Result>(wait: () => Promise<Result>): Promise<Result> {
    try {
      return await wait();
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  /** What `run` gives. Where the device throws, it is a DeviceError. */
  attempt<Result>(run: () => Result): Result {
    try {
      return run();
    } catch (error) {
      throw isPlatformError(error) ? (this.#loss.error ?? deviceFailed(error)) : error;
    }
  }

  async #explain(error: unknown): Promise<unknown> {
    const isOurs = error instanceof DeviceError;
    if (!isOurs && !isPlatformError(error)) return error;
    // What is no error of ours comes of a device that is gone, mostly; one of ours has its reason already.
    const { told } = this.#loss;
    if (!this.#disposed && !this.#loss.error) await Promise.race([told, pause(isOurs ? 0 : LOSS_MILLISECONDS)]);
    if (this.#disposed) return disposedError();
    return this.#loss.error ?? (isOurs ? error : deviceFailed(error));
  }
}

interface Loss {
  /** Set once the device is lost. */
  error: DeviceError | undefined;
  readonly told: Promise<void>;
}

/** The promise lives as long as the device, in Node outside of what can be collected: it must not lead to an engine. */
function lossOf({ lost }: GPUDevice): Loss {
  const loss: Loss = {
    error: undefined,
    told: lost.then(({ reason, message }) => {
      loss.error = new DeviceError(`the device was lost (${reason}): ${message || "no reason given"}`);
    }),
  };
  return loss;
}
