/** What an engine and its scopes have in common: the device, the tensors on it, and whether they are still there. */
import type { Backend, Interop, TensorStorage } from "../backend/backend.js";
import { DeviceError } from "../base/errors.js";
import { Lifetimes } from "../tensor/lifetimes.js";
import type { Tensor, TensorOwner } from "../tensor/tensor.js";
import type { Tuning } from "../tuner/tuning.js";
import { Waits } from "../base/waits.js";

export class EngineCore {
  readonly backend: Backend;
  readonly tuning: Tuning;
  readonly lifetimes: Lifetimes;
  /** What callers wait for goes through here. */
  readonly waits = new Waits();
  readonly owner: TensorOwner = {
    read: (storage) => this.waits.on(this.backend.read(storage)),
    binding: (storage) => this.requireGpu("binding").binding(storage),
    release: (hold) => this.lifetimes.dispose(hold),
  };
  /** By compiled sequence, the tensors that it reads and writes: they live as long as it does, though nobody else holds them. */
  readonly operandsOf = new WeakMap<object, ReadonlySet<Tensor>>();
  /** Tensors of the sequence that is being recorded, so far. */
  operands: Set<Tensor> | undefined;

  /** @param warn told once of tensors that were dropped; undefined where nobody wants to know */
  constructor(backend: Backend, tuning: Tuning, warn: ((message: string) => void) | undefined) {
    this.backend = backend;
    this.tuning = tuning;
    const release = (storage: TensorStorage): void => {
      if (!this.disposed) backend.release(storage);
    };
    this.lifetimes = new Lifetimes({ release, warn });
  }

  get disposed(): boolean {
    return this.waits.ended;
  }

  requireGpu(method: string): Interop {
    const { interop, adapter } = this.backend;
    if (!interop) throw new DeviceError(`${method} needs a WebGPU device; this engine runs on ${adapter.description}`);
    return interop;
  }

  dispose(): void {
    if (this.disposed) return;
    this.tuning.stop();
    this.lifetimes.disposeAll();
    this.waits.end();
    this.backend.dispose();
  }
}
