/** Shares memory and encoders with the caller's own WebGPU work on the same device. */
import type { Interop, Sequence, TensorStorage } from "../backend.js";
import type { DrawTarget, Planes } from "../draw.js";
import { BYTES_PER_ELEMENT, type DType } from "../dtype.js";
import { require, show, TensorError } from "../errors.js";
import type { BufferPool } from "./bufferPool.js";
import { Painter } from "./painter.js";
import { type GpuStorage, makeStorage } from "./batch.js";
import type { Recorder } from "./recorder.js";
import { GpuSequence } from "./sequence.js";

const WORD_BYTES = 4;

export class GpuInterop implements Interop {
  readonly #device: GPUDevice;
  readonly #pool: BufferPool;
  readonly #recorder: Recorder;
  readonly #painter: Painter;
  readonly #requireDevice: () => void;
  readonly #onExposed: (storage: GpuStorage) => void;

  /** @param onExposed told of storages whose buffers the caller has from then on */
  constructor(
    device: GPUDevice,
    pool: BufferPool,
    recorder: Recorder,
    requireDevice: () => void,
    onExposed: (storage: GpuStorage) => void,
  ) {
    this.#device = device;
    this.#pool = pool;
    this.#recorder = recorder;
    this.#painter = new Painter(device);
    this.#requireDevice = requireDevice;
    this.#onExposed = onExposed;
  }

  wrap(buffer: GPUBuffer, offset: number, size: number, dtype: DType): TensorStorage {
    this.#requireDevice();
    require(isBuffer(buffer), () => `buffer is ${show(buffer)}; expected a GPUBuffer`);
    require((buffer.usage & GPUBufferUsage.STORAGE) !== 0, () => {
      return `the buffer's usage is ${String(buffer.usage)}; expected it to have GPUBufferUsage.STORAGE = ${String(GPUBufferUsage.STORAGE)}`;
    });
    const alignment = this.#device.limits.minStorageBufferOffsetAlignment;
    require(Number.isSafeInteger(offset) && offset >= 0 && offset % alignment === 0, () => {
      return `offset is ${show(offset)}; expected a multiple of minStorageBufferOffsetAlignment = ${String(alignment)}`;
    });
    const bytes = WORD_BYTES * Math.ceil((size * BYTES_PER_ELEMENT[dtype]) / WORD_BYTES);
    require(offset + bytes <= buffer.size, () => {
      return `the buffer has ${String(buffer.size)} bytes; expected at least offset ${String(offset)} + ${String(bytes)} for ${String(size)} values in ${dtype}`;
    });
    return makeStorage(this.#pool.borrow(buffer, offset, bytes), dtype, size, bytes);
  }

  binding(storage: TensorStorage): Required<GPUBufferBinding> {
    const { pooled, bytes } = storage as GpuStorage;
    (storage as GpuStorage).exposed = true;
    this.#onExposed(storage as GpuStorage);
    return { buffer: pooled.buffer, offset: pooled.offset, size: bytes };
  }

  /** Throws if the values cannot be copied out of a caller's buffer. */
  requireReadable({ pooled }: GpuStorage): void {
    const { usage } = pooled.buffer;
    if (pooled.borrowed && (usage & GPUBufferUsage.COPY_SRC) === 0) {
      throw new TensorError(
        `the wrapped buffer's usage is ${String(usage)}; reading back expects it to have GPUBufferUsage.COPY_SRC = ${String(GPUBufferUsage.COPY_SRC)}`,
      );
    }
  }

  async encode(encoder: GPUCommandEncoder, record: () => void): Promise<() => void> {
    this.#requireDevice();
    require(isEncoder(encoder), () => `encoder is ${show(encoder)}; expected a GPUCommandEncoder`);
    return await this.#recorder.encodeApart(encoder, record);
  }

  async compile(record: () => void): Promise<Sequence> {
    this.#requireDevice();
    const sequence = new GpuSequence(this.#recorder, this.#recorder.sequence(record), this.#requireDevice);
    await sequence.compiled();
    return sequence;
  }

  async draw(storage: TensorStorage, planes: Planes, target: DrawTarget): Promise<void> {
    this.#requireDevice();
    const source = storage as GpuStorage;
    this.#recorder.requireUsable(source);
    const waiting = this.#recorder.flush();
    const { format } = this.#painter.textureOf(target);
    const entry = this.#painter.pipelineFor(source, planes, format);
    // Nothing is awaited unless it must be: a page draws many maps into one frame of its canvas.
    if (waiting) await waiting;
    const pipeline = entry.pipeline ?? (await entry.ready);
    if (source.error) throw source.error;
    this.#painter.paint(pipeline, source, planes, this.#painter.textureOf(target));
  }
}

// By what they have: a wrapped device (for debugging, say) need not give instances of the global classes.

function isBuffer(value: Partial<GPUBuffer> | null | undefined): boolean {
  return typeof value?.size === "number" && typeof value.usage === "number";
}

function isEncoder(value: Partial<GPUCommandEncoder> | null | undefined): boolean {
  return typeof value?.beginComputePass === "function";
}
