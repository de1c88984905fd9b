/** Times recorded work: on the device's clock where it has timestamps, else on the host's. */
import type { Timing } from "../backend/backend.js";
import type { DeviceParts } from "./parts.js";
import type { BatchTiming } from "./recording/segments.js";

/** Two timestamps of 8 bytes each. */
const STAMPS = 2;
const STAMP_BYTES = 8 * STAMPS;

export class Timer {
  readonly #parts: DeviceParts;
  readonly #querySet: GPUQuerySet | undefined;
  readonly #resolved: GPUBuffer | undefined;

  constructor(parts: DeviceParts) {
    const { device, capabilities } = parts;
    this.#parts = parts;
    if (!capabilities.timestamps) return;
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    this.#querySet = device.createQuerySet({ type: "timestamp", count: STAMPS });
    this.#resolved = device.createBuffer({ size: STAMP_BYTES, usage });
  }

  /**
   * Calls `record` and times what it records, with no other work on the device.
   *
   * @param finish waits for everything recorded so far
   */
  async time(record: () => void, finish: () => Promise<void>): Promise<Timing> {
    await finish();
    const start = performance.now();
    const stamped = await this.#parts.life.guard(() => this.#timeSubmission(record));
    await finish();
    // A quantised duration may be 0, and a reset between the timestamps makes it negative: then the wall clock counts.
    if (stamped !== undefined && stamped > 0) return { milliseconds: stamped, clock: "timestamp" };
    return { milliseconds: performance.now() - start, clock: "wall-clock" };
  }

  /** Milliseconds by the device's clock; undefined where it has none. */
  async #timeSubmission(record: () => void): Promise<number | undefined> {
    const { recorder } = this.#parts;
    const stamps = this.#start();
    try {
      recorder.hold(record);
    } catch (error) {
      stamps?.cancel();
      throw error;
    }
    await recorder.submit(stamps?.timing);
    return await stamps?.milliseconds();
  }

  /** The timing to submit with. Then `milliseconds` returns the duration; `cancel` gives it up. */
  #start():
    | { readonly timing: BatchTiming; readonly milliseconds: () => Promise<number>; readonly cancel: () => void }
    | undefined {
    const { readback } = this.#parts;
    const querySet = this.#querySet;
    const resolved = this.#resolved;
    if (!querySet || !resolved) return undefined;
    const staging = readback.acquire(STAMP_BYTES);
    const resolve = (encoder: GPUCommandEncoder): void => {
      encoder.resolveQuerySet(querySet, 0, STAMPS, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging.buffer, 0, STAMP_BYTES);
    };
    const milliseconds = async (): Promise<number> => {
      const [begin, end] = new BigUint64Array(await readback.take(staging, STAMP_BYTES));
      return Number(end - begin) / 1e6;
    };
    const timing = { querySet, beginIndex: 0, endIndex: 1, resolve };
    return { timing, milliseconds, cancel: () => readback.release(staging) };
  }

  dispose(): void {
    this.#querySet?.destroy();
    this.#resolved?.destroy();
  }
}
