/** Tensor: values on an engine's device. */
import type { TensorStorage } from "../backend/backend.js";
import type { WaitOptions } from "../backend/wait.js";
import type { DType } from "../problem/dtype.js";
import { DISPOSE } from "../base/dispose.js";
import { require, show, TensorError } from "../base/errors.js";
import { product } from "../problem/geometry.js";
import type { Hold } from "./hold.js";
import type { Pixels } from "../problem/pixels.js";
import type { GPUBufferBinding } from "../base/webgpuTypes.js";

/** The engine of a tensor, as far as the tensor needs it. */
export interface TensorOwner {
  /** Whether gradients are being computed, from tensors that may have been disposed of since. */
  readonly readsDropped: boolean;
  read(storage: TensorStorage, options: WaitOptions): Promise<Float32Array<ArrayBuffer>>;
  binding(storage: TensorStorage): Required<GPUBufferBinding>;
  release(hold: Hold): void;
}

/**
 * A dense tensor, row-major, on the device of the engine that made it. It owns device memory (unless `engine.wrap` made it):
 * dispose of it, or declare it with `using`. It stays usable until then, whatever is computed from it.
 */
export class Tensor implements Disposable {
  /** Extents, outermost first; `[N, C, H, W]` for a batch of images. */
  readonly shape: readonly number[];
  /** How values are stored. The host reads and writes them as float32 numbers. "rgba8unorm" is an image's pixels. */
  readonly dtype: DType | "rgba8unorm";
  /** What an image's pixels mean; undefined for other tensors. */
  readonly pixels: Pixels | undefined;
  /** Number of elements. */
  readonly size: number;
  readonly #owner: TensorOwner;
  readonly #hold: Hold;

  /** Engines make tensors: `engine.tensor(...)` and the operations. */
  constructor(owner: TensorOwner, hold: Hold, storage: TensorStorage) {
    require(typeof (owner as Partial<TensorOwner> | undefined)?.release === "function", () => {
      return "a tensor was constructed; expected engine.tensor(values, shape)";
    });
    const { pixels, dtype } = storage;
    this.#owner = owner;
    this.#hold = hold;
    this.shape = Object.freeze([...hold.shape]);
    this.size = product(hold.shape);
    this.pixels = pixels;
    this.dtype = pixels ? "rgba8unorm" : dtype;
  }

  /** What ties a tensor to its memory; undefined for any other value. For the library's own use. */
  static holdOf(value: object): Hold | undefined {
    return #hold in value ? value.#hold : undefined;
  }

  /** The engine of a tensor. For the library's own use. */
  static ownerOf(tensor: Tensor): TensorOwner {
    return tensor.#owner;
  }

  /** Whether this is a tensor, made by the constructor: a class' name or a prototype does not count. */
  static isTensor(value: unknown): value is Tensor {
    return typeof value === "object" && value !== null && #owner in value;
  }

  /** Whether {@link dispose} was called. */
  get disposed(): boolean {
    requireTensor("this", this);
    return this.#hold.isDropped;
  }

  /**
   * Reads the values back: submits all recorded work and waits for what this tensor depends on. The array is the caller's own
   * copy. The tensor may be disposed of as soon as the call has returned.
   *
   * @param options `onProgress`: told how far all recorded work is; `signal`: calls off what this tensor needs, and what nobody
   *   else reads at the time
   * @throws TensorError if disposed; DeviceError if the values could not be computed, CancelError if that was called off; the
   *   signal's reason once it is aborted.
   */
  async data(options: WaitOptions = {}): Promise<Float32Array<ArrayBuffer>> {
    requireTensor("this", this);
    return await this.#owner.read(this.storage(this.#owner, "tensor"), options);
  }

  /**
   * The tensor's own memory as a resource for the caller's bind groups: buffer, offset and size, in bytes. Work that the caller
   * submits after `await engine.submit()` sees the values. The buffer stays the tensor's: its memory serves other tensors once
   * this one is disposed of. The caller may write to it: from now on the engine keeps nothing derived from the values, such as
   * transformed filters, from call to call.
   *
   * @throws TensorError if disposed; DeviceError on an engine without a GPU.
   */
  binding(): Required<GPUBufferBinding> {
    requireTensor("this", this);
    return this.#owner.binding(this.storage(this.#owner, "tensor"));
  }

  /** Gives the device memory back. Work that was recorded before still sees the values. Twice is harmless. */
  dispose(): void {
    requireTensor("this", this);
    this.#owner.release(this.#hold);
  }

  [DISPOSE](): void {
    this.dispose();
  }

  /**
   * The storage, for the engine's own use.
   *
   * @param name what the caller calls this tensor, for the message
   * @throws TensorError if disposed, or if `owner` is another engine.
   */
  storage(owner: TensorOwner, name: string): TensorStorage {
    const { storage, isDropped } = this.#hold;
    if (!storage || (isDropped && !owner.readsDropped))
      throw new TensorError(`${name} of shape [${this.shape.join(", ")}] was disposed; expected a live tensor`);
    if (owner !== this.#owner) {
      throw new TensorError(
        `${name} of shape [${this.shape.join(", ")}] belongs to another engine; expected a tensor of this one`,
      );
    }
    return storage;
  }
}

export function requireTensor(name: string, value: unknown): asserts value is Tensor {
  require(Tensor.isTensor(value), () => {
    const shown = show(value);
    const remedy = shown === "Tensor" ? " of this copy of the library: is it loaded twice?" : "";
    return `${name} is ${shown}; expected a tensor made by engine.tensor or an operation${remedy}`;
  });
}
