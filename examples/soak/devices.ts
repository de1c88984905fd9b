/** Devices for the soak, which fail when it says so. */
import { createEngine, type Engine } from "webgpu-conv/node";
import type { Random } from "../../test/support/data.js";
import { type FailingDevice, failingDevice } from "../../test/support/failingDevice.js";

/** Attempts in a row that may fail: an engine gives up after six. */
const MOST_FAILURES = 3;

export class DeviceSupply {
  readonly #random: Random;
  #host: Engine | undefined;
  #current: FailingDevice | undefined;
  /** Attempts in a row, until now, that gave no device that serves. */
  #failures = 0;
  /** Whether half of all buffers are refused. */
  noRoom = false;
  /** How many devices were handed out; those that were lost before they served, and attempts without a device. */
  handedOut = 0;
  stillborn = 0;
  refused = 0;
  buffersRefused = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A new device; the one before is given up. */
  async next(isFirst = false): Promise<GPUDevice> {
    this.#host?.dispose();
    this.#host = undefined;
    if (!isFirst && this.#fails(0.1)) {
      this.refused++;
      throw new Error("no adapter, on purpose");
    }
    const host = await createEngine();
    const { device } = host;
    if (!device) throw new Error("the soak needs a WebGPU device");
    this.#host = host;
    this.#current = failingDevice(device);
    this.#current.faults.noRoomFor = (_, label) => this.#refuses(label);
    this.handedOut++;
    if (!isFirst && this.#fails(0.2)) {
      this.stillborn++;
      this.lose();
    } else this.#failures = 0;
    return this.#current.device;
  }

  #fails(share: number): boolean {
    const fails = this.#random.next() < share && this.#failures < MOST_FAILURES;
    if (fails) this.#failures++;
    return fails;
  }

  /** The device is lost. */
  lose(): void {
    this.#host?.device?.destroy();
  }

  dispose(): void {
    this.#host?.dispose();
  }

  /** Small memory that the engine needs to exist is never refused. */
  #refuses(label: string): boolean {
    const refuses = this.noRoom && label !== "" && this.#random.next() < 0.5;
    if (refuses) this.buffersRefused++;
    return refuses;
  }
}
