/** Shares memory and encoders with the caller's own WebGPU work on the same device. */
import type { Interop, Sequence } from "../backend/backend.js";
import type { DrawTarget, Planes } from "../backend/draw.js";
import { require, show } from "../base/errors.js";
import type { DType, StoredValues } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import { Drawing } from "./drawing.js";
import { encodeInto, recordSequence } from "./ownBatch.js";
import type { DeviceParts } from "./parts.js";
import { GpuSequence } from "./recording/sequence.js";
import { bytesOfValues, type GpuStorage, makeStorage } from "./device/storage.js";

export class GpuInterop implements Interop<GpuStorage> {
  readonly #parts: DeviceParts;
  readonly #drawing: Drawing;

  constructor(parts: DeviceParts) {
    this.#parts = parts;
    this.#drawing = new Drawing(parts);
  }

  wrap(buffer: GPUBuffer, offset: number, shape: readonly number[], dtype: DType): GpuStorage {
    const { device, life, pool } = this.#parts;
    life.require();
    require(isBuffer(buffer), () => `buffer is ${show(buffer)}; expected a GPUBuffer`);
    require((buffer.usage & GPUBufferUsage.STORAGE) !== 0, () => {
      return `the buffer's usage is ${String(buffer.usage)}; expected it to have GPUBufferUsage.STORAGE = ${String(GPUBufferUsage.STORAGE)}`;
    });
    const alignment = device.limits.minStorageBufferOffsetAlignment;
    require(Number.isSafeInteger(offset) && offset >= 0 && offset % alignment === 0, () => {
      return `offset is ${show(offset)}; expected a multiple of minStorageBufferOffsetAlignment = ${String(alignment)}`;
    });
    const bytes = bytesOfValues(product(shape), dtype);
    require(offset + bytes <= buffer.size, () => {
      return `the buffer has ${String(buffer.size)} bytes; expected at least offset ${String(offset)} + ${String(bytes)} for ${String(product(shape))} values in ${dtype}`;
    });
    return makeStorage(pool.borrow(buffer, offset, bytes), dtype, shape);
  }

  async encode(encoder: GPUCommandEncoder, record: () => void): Promise<() => void> {
    const { life } = this.#parts;
    life.require();
    require(isEncoder(encoder), () => `encoder is ${show(encoder)}; expected a GPUCommandEncoder`);
    return await life.guard(async () => {
      const submitted = await encodeInto(this.#parts, encoder, record);
      await life.requireAlive();
      return submitted;
    });
  }

  async compile(record: () => void): Promise<Sequence> {
    const { life, recorder } = this.#parts;
    life.require();
    return await life.guard(async () => {
      const sequence = new GpuSequence(recorder, recordSequence(this.#parts, record), () => life.require());
      await sequence.compiled();
      await life.requireAlive();
      return sequence;
    });
  }

  restore(storage: GpuStorage, values: StoredValues): void {
    storage.unsubmitted = undefined;
    this.#parts.recorder.upload(storage, values);
  }

  async draw(storage: GpuStorage, planes: Planes, target: DrawTarget): Promise<void> {
    await this.#parts.life.guard(() => this.#drawing.draw(storage, planes, target));
  }
}

// Checked by their methods: a wrapped device, for debugging say, may return objects of other classes than the global ones.

function isBuffer(value: Partial<GPUBuffer> | null | undefined): boolean {
  return typeof value?.size === "number" && typeof value.usage === "number" && typeof value.mapAsync === "function";
}

function isEncoder(value: Partial<GPUCommandEncoder> | null | undefined): boolean {
  return typeof value?.beginComputePass === "function" && typeof value.finish === "function";
}
