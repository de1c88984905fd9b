/** Whether a device can still be used. WebGPU does not say so by itself: waits for a lost device resolve as if all were done. */
import { DeviceError, DeviceLostError } from "../../base/errors.js";
import { deviceFailed, disposedError, isPlatformError } from "./deviceErrors.js";
import type { ReadbackRing } from "./readback.js";

/** How long a device may take to say that it is lost, after a failure. */
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

  /** From here on everything that needs the device is refused, and waits for it reject. */
  dispose(): void {
    this.#disposed = true;
  }

  /** Throws a DeviceError if the device is known to be lost or disposed of. */
  require(): void {
    if (this.#disposed) throw disposedError();
    if (this.#loss.error) throw this.#loss.error;
  }

  /** Asks the device by mapping a buffer, which a lost device fails to do. Rejects with a DeviceError if it is lost. */
  async requireAlive(): Promise<void> {
    this.require();
    await this.#readback.take(this.#readback.acquire(PROBE_BYTES), PROBE_BYTES);
    this.require();
  }

  /**
   * The result of `wait`. Rejects with a DeviceError where the device fails: with its loss, where that is the cause. Errors of
   * the caller's own callbacks pass through.
   */
  async guard<Result>(wait: () => Promise<Result>): Promise<Result> {
    try {
      return await wait();
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  /** The result of `run`. What the device throws becomes a DeviceError. */
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
    // An error of the platform mostly means that the device is lost. One of ours has its reason already.
    const { told } = this.#loss;
    if (!this.#disposed && !this.#loss.error) await Promise.race([told, pause(isOurs ? 0 : LOSS_MILLISECONDS)]);
    if (this.#disposed) return disposedError();
    return this.#loss.error ?? (isOurs ? error : deviceFailed(error));
  }
}

interface Loss {
  /** Set once the device is lost. */
  error: DeviceLostError | undefined;
  readonly told: Promise<void>;
}

/** In Node the promise is never collected while the device lives: it must not refer to an engine. */
function lossOf({ lost }: GPUDevice): Loss {
  const loss: Loss = {
    error: undefined,
    told: lost.then(({ reason, message }) => {
      loss.error = new DeviceLostError(`the device was lost (${reason}): ${message || "no reason given"}`);
    }),
  };
  return loss;
}
