/** What a whole engine and its scopes have in common besides: choices that were measured, and the caller's own GPU work. */
import type { Backend, Interop } from "../backend/backend.js";
import type { SolverChoice } from "../planning/choice.js";
import type { ConvOperation } from "../problem/operation.js";
import type { DropWatch } from "../tensor/dropWatch.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Tuning } from "../tuner/tuning.js";
import { ForwardCore } from "./forwardCore.js";

export class EngineCore extends ForwardCore<Backend> {
  readonly tuning: Tuning;
  /** By compiled sequence, the tensors that it reads and writes: they live as long as it does, though nobody else holds them. */
  readonly operandsOf = new WeakMap<object, ReadonlySet<Tensor>>();

  /** Whether a network's code runs without its work: nothing of it is to be tuned. */
  isTracing = false;

  /** @param watch told of tensors that were dropped; undefined where nobody wants to know */
  constructor(backend: Backend, tuning: Tuning, watch: DropWatch | undefined) {
    super(backend, watch);
    this.tuning = tuning;
  }

  override tunedChoice(operation: ConvOperation, key: string): SolverChoice | undefined {
    return this.isTracing ? this.tuning.choiceFor(operation, key) : this.tuning.use(operation, key);
  }

  requireGpu(method: string): Interop {
    const { interop } = this.backend;
    if (!interop) throw this.needsGpu(method);
    return interop;
  }

  override dispose(): void {
    this.tuning.stop();
    super.dispose();
  }
}
