/** Memory of a tensor that outlives its device: what it is, where it was made, and the copy that it comes back from. */
import type { Backend, CoreBackend, LostTensor, TensorStorage } from "../backend/backend.js";
import { DeviceLostError, LimitError, show, textOf } from "../base/errors.js";
import { placeOf, stackHere } from "../base/stack.js";
import type { ImageDataLike } from "../base/webgpuTypes.js";
import { BYTES_PER_ELEMENT, decode, type DType, type StoredValues } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import { decodePixels } from "../problem/images.js";
import type { ImageSize, Pixels } from "../problem/pixels.js";

/** What a tensor is, whatever device it is on. */
export interface Description {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** In words, for messages. */
  readonly what: () => string;
  /** Of an image. */
  readonly pixels?: Pixels | undefined;
  /** Of an image: one picture's, of the batch's. */
  readonly imageSize?: ImageSize;
}

/** A backend that has images, or one that needs none. */
export type AnyBackend = CoreBackend & Partial<Pick<Backend, "uploadImages" | "runTensors">>;

const WORD_BYTES = 4;

export class RecoverableStorage implements TensorStorage {
  readonly description: Description;
  readonly dtype: DType;
  readonly pixels: Pixels | undefined;
  readonly size: number;
  readonly bytes: number;
  /** The memory on the device that there is; undefined while there is none. */
  inner: TensorStorage | undefined;
  /** The bytes on the host; undefined where none are kept. */
  copy: ArrayBuffer | undefined;
  /** Whether the copy is replaced by whatever the host writes. */
  keeps = false;
  /** Whether the copy is of a moment that the caller chose, and comes back whatever became of the tensor since. */
  isSnapshot = false;
  /** How often the values were replaced. */
  version = 0;
  /** Of the values that the copy is of; undefined where the caller may have changed them unseen. */
  copiedVersion: number | undefined = 0;
  /** Why there are no values. */
  error: Error | undefined;
  /** Whether the tensor was disposed of. */
  released = false;
  readonly whole: RecoverableStorage | undefined;
  readonly begin: number = 0;
  readonly #stack = stackHere();

  constructor(description: Description, inner?: TensorStorage) {
    const { dtype, pixels, shape } = description;
    this.description = description;
    this.dtype = dtype;
    this.pixels = pixels;
    this.inner = inner;
    this.size = product(shape);
    const bytes = pixels ? WORD_BYTES * this.size : this.size * BYTES_PER_ELEMENT[dtype];
    this.bytes = inner?.bytes ?? WORD_BYTES * Math.ceil(bytes / WORD_BYTES);
  }

  /** The memory, whatever it holds. */
  onDevice(): TensorStorage {
    if (!this.inner) throw new DeviceLostError(`${this.#made()}, is not on the device`);
    return this.inner;
  }

  /** The memory. Throws where there are no values. */
  withValues(): TensorStorage {
    if (this.error) throw this.error;
    return this.onDevice();
  }

  /** The copy, where it is of the values that the device has now. */
  get currentCopy(): ArrayBuffer | undefined {
    return this.copiedVersion === this.version ? this.copy : undefined;
  }

  /** The host replaces the values. */
  noteWritten(values: StoredValues): void {
    this.version++;
    if (this.keeps) this.keepWritten(bytesOf(values));
  }

  /** Bytes that the host wrote last are the copy from now on. */
  keepWritten(copy: ArrayBuffer): void {
    this.copy = copy;
    this.isSnapshot = false;
    if (this.copiedVersion !== undefined) this.copiedVersion = this.version;
  }

  /** What bytes of the host mean. The result is the caller's own. */
  valuesIn(bytes: ArrayBuffer): Float32Array<ArrayBuffer> {
    if (this.pixels) return decodePixels(new Uint8Array(bytes), this.pixels);
    return decode(bytes.slice(), this.size, this.dtype);
  }

  /** The device is gone, and what it held. Returns whether values are lost that were there. */
  lose(cause: Error): boolean {
    const { inner } = this;
    this.inner = undefined;
    // What was called while there was no device is still to be computed.
    if (this.#isOutdated) this.copy = undefined;
    else if (this.copy) return false;
    if (!inner || this.error) return false;
    const remedy = this.keeps
      ? "The host's copy is of before it was changed in place: write its values again; or take a newer copy in time, by await " +
        "engine.snapshot(tensors)"
      : "Compute it again; or keep a copy on the host, by engine.tensor(values, shape, { keep: true }) or await " +
        "engine.snapshot(tensors)";
    this.error = new DeviceLostError(`${this.#made()}, was lost: ${cause.message}. ${remedy}`, { cause });
    return true;
  }

  /** Whether the copy is of what the host wrote, and an operation has changed the values in place since. */
  get #isOutdated(): boolean {
    const { copiedVersion, version, isSnapshot, keeps } = this;
    return keeps && !isSnapshot && copiedVersion !== undefined && copiedVersion !== version;
  }

  /** Puts the copy onto a device. Where there is no room, the tensor's values have that error. */
  restore(backend: AnyBackend): void {
    if (!this.copy) return;
    try {
      this.inner = this.allocate(backend, this.copy);
      this.error = undefined;
      if (this.copiedVersion !== undefined) this.copiedVersion = this.version;
    } catch (cause) {
      if (cause instanceof DeviceLostError) throw cause;
      this.error = new DeviceLostError(`${this.#made()}, was not restored: ${textOf(cause)}`, { cause });
    }
  }

  /** New memory with these bytes. */
  allocate(backend: AnyBackend, bytes: ArrayBuffer): TensorStorage {
    const { shape, imageSize } = this.description;
    const { maxTensorBytes, description } = backend.adapter;
    if (this.bytes > maxTensorBytes) {
      const most = `a tensor on ${description} holds at most ${maxTensorBytes.toLocaleString("en")}`;
      throw new LimitError(`it needs ${this.bytes.toLocaleString("en")} bytes; ${most}`);
    }
    if (this.pixels && imageSize && backend.uploadImages)
      return backend.uploadImages(picturesOf(bytes, imageSize), imageSize, this.pixels);
    return backend.upload(this.storedValues(bytes), shape, this.dtype);
  }

  /** Bytes as a device stores the values. */
  storedValues(bytes: ArrayBuffer): StoredValues {
    return this.dtype === "float16" ? new Uint16Array(bytes) : new Float32Array(bytes);
  }

  /** What was lost, for reports. */
  asLost(): LostTensor {
    const { shape, dtype } = this.description;
    return { shape, dtype, made: this.#made() };
  }

  #made(): string {
    const { shape, dtype, what } = this.description;
    const type = this.pixels ? "pixels" : dtype;
    return `the tensor of shape ${show([...shape])} in ${type}, ${what()}, made ${placeOf(this.#stack)}`;
  }
}

export function bytesOf(values: StoredValues): ArrayBuffer {
  return values.slice().buffer;
}

/** Why one of them has no values; undefined where all have. */
export function lostAmong(storages: Iterable<RecoverableStorage>): Error | undefined {
  for (const { error } of storages) if (error) return error;
  return undefined;
}

/** The pictures of a batch, as they were uploaded. */
function picturesOf(bytes: ArrayBuffer, { width, height }: ImageSize): ImageDataLike[] {
  const step = WORD_BYTES * width * height;
  return Array.from({ length: bytes.byteLength / step }, (_, i) => {
    return { width, height, data: new Uint8ClampedArray(bytes, i * step, step) };
  });
}
