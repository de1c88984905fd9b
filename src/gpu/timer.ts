/** Times a submission on the device's own clock, by timestamps around its compute pass. */
import type { ReadbackRing } from "./readback.js";
import type { BatchTiming } from "./segments.js";

export class TimestampTimer {
  readonly #readback: ReadbackRing;
  readonly #querySet: GPUQuerySet;
  readonly #resolved: GPUBuffer;

  constructor(device: GPUDevice, readback: ReadbackRing) {
    this.#readback = readback;
    this.#querySet = device.createQuerySet({ type: "timestamp", count: 2 });
    this.#resolved = device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  }

  /** What to submit with, and how to get the pass' duration in milliseconds once it is submitted, or to give it up. */
  start(): {
    readonly timing: BatchTiming;
    readonly milliseconds: () => Promise<number>;
    readonly cancel: () => void;
  } {
    const staging = this.#readback.acquire(16);
    const writes = { querySet: this.#querySet, beginIndex: 0, endIndex: 1 };
    const resolve = (encoder: GPUCommandEncoder): void => {
      encoder.resolveQuerySet(this.#querySet, 0, 2, this.#resolved, 0);
      encoder.copyBufferToBuffer(this.#resolved, 0, staging.buffer, 0, 16);
    };
    const milliseconds = async (): Promise<number> => {
      const [begin, end] = new BigUint64Array(await this.#readback.take(staging, 16));
      return Number(end - begin) / 1e6;
    };
    return { timing: { ...writes, resolve }, milliseconds, cancel: () => this.#readback.release(staging) };
  }

  dispose(): void {
    this.#querySet.destroy();
    this.#resolved.destroy();
  }
}
