/** What an engine and its scopes have in common: the device, the tensors on it, and whether they are still there. */
import type { CoreBackend, TensorStorage } from "../backend/backend.js";
import { DeviceError } from "../base/errors.js";
import { Waits } from "../base/waits.js";
import type { SolverChoice } from "../planning/choice.js";
import type { ConvOperation } from "../problem/operation.js";
import type { DropWatch } from "../tensor/dropWatch.js";
import { Lifetimes } from "../tensor/lifetimes.js";
import type { Tensor, TensorOwner } from "../tensor/tensor.js";
import { waitFor } from "./waiting.js";

/** Of engines that do forward passes, and of all others. `Own` is the kind of backend that an engine needs. */
export class ForwardCore<Own extends CoreBackend = CoreBackend> {
  readonly backend: Own;
  readonly lifetimes: Lifetimes;
  /** What callers wait for goes through here. */
  readonly waits = new Waits();
  readonly owner: TensorOwner = {
    read: (storage, options) => waitFor(this.waits, options, (wait) => this.backend.read(storage, wait)),
    binding: (storage) => {
      const { backend } = this;
      if (!backend.binding) throw this.needsGpu("binding");
      return backend.binding(storage);
    },
    release: (hold) => this.lifetimes.dispose(hold),
  };
  /** Tensors of the sequence that is being recorded, so far; undefined while none is. */
  operands: Set<Tensor> | undefined;

  /** @param watch told of tensors that were dropped; undefined where nobody wants to know */
  constructor(backend: Own, watch: DropWatch | undefined) {
    this.backend = backend;
    const release = (storage: TensorStorage): void => {
      if (!this.disposed) backend.release(storage);
    };
    this.lifetimes = new Lifetimes({ release, watch });
  }

  get disposed(): boolean {
    return this.waits.ended;
  }

  /** The solver that was measured to be the fastest for an operation, by its key; absent where nothing is measured. */
  tunedChoice?(operation: ConvOperation, key: string): SolverChoice | undefined;

  /** The error of a method that only a GPU has. */
  needsGpu(method: string): DeviceError {
    const { description } = this.backend.adapter;
    return new DeviceError(`${method} needs a WebGPU device; this engine runs on ${description}`);
  }

  dispose(): void {
    if (this.disposed) return;
    this.lifetimes.disposeAll();
    this.waits.end();
    this.backend.dispose();
  }
}
