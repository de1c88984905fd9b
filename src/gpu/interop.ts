/** Shares memory and encoders with the caller's own WebGPU work on the same device. */
import type { Interop, Sequence } from "../backend/backend.js";
import type { DrawTarget, Planes } from "../backend/draw.js";
import type { DType } from "../problem/dtype.js";
import { DeviceError, require, show, TensorError } from "../base/errors.js";
import { loadLate } from "../base/late.js";
import { product } from "../problem/geometry.js";
import type { BufferPool } from "./bufferPool.js";
import type { Painter } from "./drawPlane.js";
import { popReason } from "./allocation.js";
import type { DeviceLife } from "./deviceLife.js";
import { bytesOfValues, errorOf, type GpuStorage, makeStorage } from "./batch.js";
import type { Recorder } from "./recorder.js";
import { GpuSequence } from "./sequence.js";

export class GpuInterop implements Interop<GpuStorage> {
  readonly #device: GPUDevice;
  readonly #pool: BufferPool;
  readonly #recorder: Recorder;
  #painter: Painter | undefined;
  readonly #life: DeviceLife;
  readonly #onExposed: (storage: GpuStorage) => void;

  /** @param onExposed told of storages whose buffers the caller has from then on */
  constructor(
    device: GPUDevice,
    pool: BufferPool,
    recorder: Recorder,
    life: DeviceLife,
    onExposed: (storage: GpuStorage) => void,
  ) {
    this.#device = device;
    this.#pool = pool;
    this.#recorder = recorder;
    this.#life = life;
    this.#onExposed = onExposed;
  }

  wrap(buffer: GPUBuffer, offset: number, shape: readonly number[], dtype: DType): GpuStorage {
    this.#life.require();
    require(isBuffer(buffer), () => `buffer is ${show(buffer)}; expected a GPUBuffer`);
    require((buffer.usage & GPUBufferUsage.STORAGE) !== 0, () => {
      return `the buffer's usage is ${String(buffer.usage)}; expected it to have GPUBufferUsage.STORAGE = ${String(GPUBufferUsage.STORAGE)}`;
    });
    const alignment = this.#device.limits.minStorageBufferOffsetAlignment;
    require(Number.isSafeInteger(offset) && offset >= 0 && offset % alignment === 0, () => {
      return `offset is ${show(offset)}; expected a multiple of minStorageBufferOffsetAlignment = ${String(alignment)}`;
    });
    const bytes = bytesOfValues(product(shape), dtype);
    require(offset + bytes <= buffer.size, () => {
      return `the buffer has ${String(buffer.size)} bytes; expected at least offset ${String(offset)} + ${String(bytes)} for ${String(product(shape))} values in ${dtype}`;
    });
    return makeStorage(this.#pool.borrow(buffer, offset, bytes), dtype, shape);
  }

  binding(storage: GpuStorage): Required<GPUBufferBinding> {
    const { pooled, bytes } = storage;
    storage.exposed = true;
    this.#onExposed(storage);
    return { buffer: pooled.buffer, offset: pooled.offset, size: bytes };
  }

  /** Throws if the values cannot be copied out of a caller's buffer. */
  requireReadable({ pooled }: GpuStorage): void {
    requireUsage(pooled, "reading back", "COPY_SRC");
  }

  /** Throws if the host cannot write into a caller's buffer. */
  requireWritable({ pooled }: GpuStorage): void {
    requireUsage(pooled, "writing", "COPY_DST");
  }

  async encode(encoder: GPUCommandEncoder, record: () => void): Promise<() => void> {
    this.#life.require();
    require(isEncoder(encoder), () => `encoder is ${show(encoder)}; expected a GPUCommandEncoder`);
    return await this.#life.guard(async () => {
      const submitted = await this.#recorder.encodeInto(encoder, record);
      await this.#life.requireAlive();
      return submitted;
    });
  }

  async compile(record: () => void): Promise<Sequence> {
    this.#life.require();
    return await this.#life.guard(async () => {
      const sequence = new GpuSequence(this.#recorder, this.#recorder.sequence(record), () => this.#life.require());
      await sequence.compiled();
      await this.#life.requireAlive();
      return sequence;
    });
  }

  async draw(storage: GpuStorage, planes: Planes, target: DrawTarget): Promise<void> {
    await this.#life.guard(() => this.#draw(storage, planes, target));
  }

  async #draw(source: GpuStorage, planes: Planes, target: DrawTarget): Promise<void> {
    this.#life.require();
    this.#recorder.requireUsable(source);
    const entry = this.#painter?.entryFor(source, planes, target);
    const waiting = this.#recorder.flush() ?? source.pooled.arriving;
    // Nothing is awaited unless it must be: a page draws many maps into one frame of its canvas.
    if (this.#painter && entry?.pipeline && !waiting) {
      const error = errorOf(source);
      if (error) throw error;
      await this.#paint(this.#painter, entry.pipeline, source, planes, target);
      await this.#recorder.settled();
      if (source.error) throw source.error;
      return;
    }
    const snapshot = this.#snapshot(source);
    try {
      await this.#recorder.submit();
      const painter = await this.#loadPainter();
      const { ready } = entry ?? painter.entryFor(source, planes, target);
      const [error, pipeline] = await Promise.all([snapshot.error, ready]);
      this.#life.require();
      if (error) throw error;
      await this.#paint(painter, pipeline, snapshot.storage, planes, target);
    } finally {
      snapshot.release();
    }
  }

  /** What draws is loaded with the first drawing. */
  async #loadPainter(): Promise<Painter> {
    const { Painter } = await loadLate("drawing", () => import("./drawPlane.js"));
    return (this.#painter ??= new Painter(this.#device));
  }

  /**
   * The values as they are when what was recorded so far has run, for as long as it takes: the tensor may be disposed of
   * meanwhile, or written to. A caller's buffer that cannot be copied is read as it is by then.
   */
  #snapshot(source: GpuStorage): {
    readonly storage: GpuStorage;
    readonly error: Promise<DeviceError | undefined>;
    readonly release: () => void;
  } {
    const { pooled, bytes } = source;
    if (pooled.borrowed && (pooled.buffer.usage & GPUBufferUsage.COPY_SRC) === 0) {
      return { storage: source, error: Promise.resolve(source.error), release: () => undefined };
    }
    const copy = this.#pool.acquire(bytes);
    const error = this.#recorder.copy(source, copy);
    return { storage: { ...source, pooled: copy }, error, release: () => this.#recorder.release(copy) };
  }

  /** Submits the drawing at once; rejects if the device refuses it. */
  async #paint(
    painter: Painter,
    pipeline: GPURenderPipeline,
    source: GpuStorage,
    planes: Planes,
    target: DrawTarget,
  ): Promise<void> {
    const device = this.#device;
    device.pushErrorScope("validation");
    let reason: Promise<string | undefined>;
    try {
      painter.paint(pipeline, source, planes, painter.textureOf(target));
    } finally {
      reason = popReason(device);
    }
    const message = await reason;
    if (message !== undefined) throw new DeviceError(`the device refused the drawing: ${message}`);
  }
}

function requireUsage({ borrowed, buffer }: GpuStorage["pooled"], what: string, name: "COPY_SRC" | "COPY_DST"): void {
  const flag = GPUBufferUsage[name];
  if (!borrowed || (buffer.usage & flag) !== 0) return;
  throw new TensorError(
    `the wrapped buffer's usage is ${String(buffer.usage)}; ${what} expects it to have GPUBufferUsage.${name} = ${String(flag)}`,
  );
}

// By what they have: a wrapped device (for debugging, say) need not give instances of the global classes.

function isBuffer(value: Partial<GPUBuffer> | null | undefined): boolean {
  return typeof value?.size === "number" && typeof value.usage === "number" && typeof value.mapAsync === "function";
}

function isEncoder(value: Partial<GPUCommandEncoder> | null | undefined): boolean {
  return typeof value?.beginComputePass === "function" && typeof value.finish === "function";
}
