/** What an engine and its scopes have in common: the device, the tensors on it, and whether they are still there. */
import type { CoreBackend, TensorStorage } from "../backend/backend.js";
import { DeviceError } from "../base/errors.js";
import { Waits } from "../base/waits.js";
import type { SolverChoice } from "../planning/choice.js";
import type { ConvOperation } from "../problem/operation.js";
import type { Hold } from "../tensor/hold.js";
import type { GPUBufferBinding } from "../base/webgpuTypes.js";
import type { WaitOptions } from "../backend/wait.js";
import type { Call, Run } from "../calls/calls.js";
import type { DropWatch } from "../tensor/dropWatch.js";
import { Lifetimes } from "../tensor/lifetimes.js";
import type { Tensor, TensorOwner } from "../tensor/tensor.js";
import { waitFor } from "./waiting.js";

/** Runs calls by `run`, and records them. */
export interface CallTape {
  runCall(call: Call, shapes: readonly (readonly number[])[] | undefined, run: Run): Tensor[];
}

/** Of engines that do forward passes, and of all others. `Own` is the kind of backend that an engine needs. */
export class ForwardCore<Own extends CoreBackend = CoreBackend> implements TensorOwner {
  /** Another one while a network is traced, which computes nothing. */
  backend: Own;
  readonly lifetimes: Lifetimes;
  /** What callers wait for goes through here. */
  readonly waits = new Waits();
  /** Tensors of the sequence that is being recorded, so far; undefined while none is. */
  operands: Set<Tensor> | undefined;
  /** What runs calls while it records them for their gradients; undefined while nothing does. */
  tape: CallTape | undefined;
  readsDropped = false;

  /** @param watch told of tensors that were dropped; undefined where nobody wants to know */
  constructor(backend: Own, watch: DropWatch | undefined) {
    this.backend = backend;
    const release = (storage: TensorStorage): void => {
      if (!this.disposed) this.backend.release(storage);
    };
    this.lifetimes = new Lifetimes({ release, watch });
  }

  async read(storage: TensorStorage, options: WaitOptions): Promise<Float32Array<ArrayBuffer>> {
    return await waitFor(this.waits, options, (wait) => this.backend.read(storage, wait));
  }

  binding(storage: TensorStorage): Required<GPUBufferBinding> {
    const { backend } = this;
    if (!backend.binding) throw this.needsGpu("binding");
    return backend.binding(storage);
  }

  release(hold: Hold): void {
    this.lifetimes.dispose(hold);
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
