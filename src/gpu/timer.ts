/** Times a submission on the device's own clock, by timestamps around its compute pass. */
import type { PassTiming } from "./batch.js";
import type { ReadbackRing } from "./readback.js";

export class TimestampTimer {
  readonly #readback: ReadbackRing;
  readonly #querySet: GPUQuerySet;
  readonly #resolved: GPUBuffer;

  constructor(device: GPUDevice, readback: ReadbackRing) {
    this.#readback = readback;
    this.#querySet = device.createQuerySet({ type: "timestamp", count: 2 });
    this.#resolved = device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  }

  /** What to submit with, and how to get the pass' duration in milliseconds once it is submitted. */
  start(): { readonly timing: PassTiming; readonly milliseconds: () => Promise<number> } {
    const staging = this.#readback.acquire(16);
    const writes = { querySet: this.#querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
    const resolve = (encoder: GPUCommandEncoder): void => {
      encoder.resolveQuerySet(this.#querySet, 0, 2, this.#resolved, 0);
      encoder.copyBufferToBuffer(this.#resolved, 0, staging, 0, 16);
    };
    const milliseconds = async (): Promise<number> => {
      const [begin, end] = new BigUint64Array(await this.#readback.take(staging, 16));
      return Number(end - begin) / 1e6;
    };
    return { timing: { writes, resolve }, milliseconds };
  }

  dispose(): void {
    this.#querySet.destroy();
    this.#resolved.destroy();
  }
}
