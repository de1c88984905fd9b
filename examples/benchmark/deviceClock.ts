/** The device's own clock, for compute passes that the engine does not record. In Node and in pages. */

/** Two timestamps of 8 bytes each. */
const STAMPS = 2;
const STAMP_BYTES = 8 * STAMPS;

export class DeviceClock implements Disposable {
  /** For `beginComputePass`: the pass that is timed. */
  readonly pass: GPUComputePassDescriptor;
  readonly #querySet: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;

  private constructor(device: GPUDevice) {
    this.#querySet = device.createQuerySet({ type: "timestamp", count: STAMPS });
    this.pass = {
      timestampWrites: { querySet: this.#querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
    };
    const buffer = (usage: number): GPUBuffer => device.createBuffer({ size: STAMP_BYTES, usage });
    this.#resolved = buffer(GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC);
    this.#staging = buffer(GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ);
  }

  /** Undefined where the device has no timestamps. */
  static of(device: GPUDevice): DeviceClock | undefined {
    return device.features.has("timestamp-query") ? new DeviceClock(device) : undefined;
  }

  /** To be called once the pass has ended, before its commands are submitted. */
  resolve(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.#querySet, 0, STAMPS, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, STAMP_BYTES);
  }

  /** Milliseconds of the pass that was submitted. Not above 0 where the clock is too coarse, or was reset meanwhile. */
  async read(): Promise<number> {
    await this.#staging.mapAsync(GPUMapMode.READ);
    const [begin, end] = new BigUint64Array(this.#staging.getMappedRange());
    this.#staging.unmap();
    return Number(end - begin) / 1e6;
  }

  [Symbol.dispose](): void {
    this.#querySet.destroy();
    this.#resolved.destroy();
    this.#staging.destroy();
  }
}
