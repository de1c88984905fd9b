/** What one engine object works with: the engine's core, and the scope that the tensors it makes belong to. */
import type { RoleStorages, TensorStorage } from "../backend/backend.js";
import { resultRefusal } from "../backend/limits.js";
import { LimitError, TensorError } from "../base/errors.js";
import type { Call } from "../calls/calls.js";
import type { SolverChoice } from "../planning/choice.js";
import { storedValues } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import {
  type ConvOperation,
  keyOf,
  operandRoles,
  resultRoles,
  shapeOfRole,
  type TensorRole,
} from "../problem/operation.js";
import { withBatch } from "../problem/problem.js";
import type { Hold } from "../tensor/hold.js";
import type { Scope } from "../tensor/lifetimes.js";
import { requireTensor, Tensor } from "../tensor/tensor.js";
import type { EngineCore } from "./engineCore.js";
import type { ForwardCore } from "./forwardCore.js";

/** `Core` is that of a whole engine, or of one for forward passes. */
export class Context<Core extends ForwardCore = EngineCore> {
  readonly core: Core;
  /** Undefined for the engine itself. */
  readonly scope: Scope | undefined;

  constructor(core: Core, scope?: Scope) {
    this.core = core;
    this.scope = scope;
  }

  /** The core. Throws once the engine was disposed of, or the scope has ended. */
  requireLive(): Core {
    if (this.core.disposed) throw new TensorError("the engine was disposed; expected a live engine");
    if (this.scope?.closed)
      throw new TensorError("the scope has ended; expected the engine itself, or a scope of its own");
    return this.core;
  }

  /** The scope that new tensors belong to; undefined where there is none. */
  get currentScope(): Scope | undefined {
    return this.scope ?? this.core.lifetimes.runningScope;
  }

  /** The memory of a tensor of this engine. */
  storageOf(tensor: Tensor): TensorStorage {
    requireTensor("tensor", tensor);
    return tensor.storage(this.core, "tensor");
  }

  /** A tensor on new memory. */
  adopt(shape: readonly number[], storage: TensorStorage): Tensor {
    return this.#own(this.core.lifetimes.hold(shape, storage), storage);
  }

  /** A tensor of another shape on the memory of `tensor`, which lives as long as either of them. */
  view(tensor: Tensor, shape: readonly number[]): Tensor {
    return this.share(shape, this.storageOf(tensor));
  }

  /** A tensor on memory that other tensors have, or on a part of it. */
  share(shape: readonly number[], part: TensorStorage): Tensor {
    return this.#own(this.core.lifetimes.share(shape, part), part);
  }

  #own(hold: Hold, storage: TensorStorage): Tensor {
    const tensor = new Tensor(this.core, hold, storage);
    this.core.lifetimes.watch(tensor, hold, this.scope);
    this.core.operands?.add(tensor);
    return tensor;
  }

  /** Runs a call, as `Run` says. */
  run(call: Call, shapes?: readonly (readonly number[])[]): Tensor[] {
    const { tape } = this.core;
    return tape ? tape.runCall(call, shapes, (one, own) => this.#run(one, own)) : this.#run(call, shapes);
  }

  #run({ operation, operands, names, solver }: Call, shapes?: readonly (readonly number[])[]): Tensor[] {
    const core = this.requireLive();
    const storages: RoleStorages = {};
    for (const role of operandRoles(operation)) {
      const tensor = operands[role];
      if (!tensor) continue;
      storages[role] = tensor.storage(core, names[role] ?? role);
      core.operands?.add(tensor);
    }
    const roles: readonly TensorRole[] = resultRoles(operation);
    requireFits(resultRefusal(operation, core.backend));
    const results =
      operation.problem.batch === 0
        ? this.#resultsOfNothing(operation, solver)
        : runWithKey(core, operation, storages, solver);
    return roles.map((role, i) => this.adopt(shapes ? shapes[i] : shapeOfRole(operation, role), results[i]));
  }

  /** Of an empty batch: sums of nothing, which are zeros, and tensors without values. No kernel runs. */
  #resultsOfNothing(operation: ConvOperation, solver: SolverChoice | undefined): TensorStorage[] {
    const { dtype, problem } = operation;
    const { backend } = this.core;
    if (solver !== undefined) backend.select({ ...operation, problem: withBatch(problem, 1) }, solver);
    return resultRoles(operation).map((role) => {
      const shape = shapeOfRole(operation, role);
      return backend.upload(storedValues(product(shape), dtype), shape, dtype);
    });
  }
}

/** Makes the operation's key once, for all who keep something by it: tuned choices and plans. */
function runWithKey(
  core: ForwardCore,
  operation: ConvOperation,
  storages: RoleStorages,
  solver: SolverChoice | undefined,
): TensorStorage[] {
  const key = keyOf(operation);
  return core.backend.run(operation, storages, solver ?? core.tunedChoice?.(operation, key), key);
}

/** Throws what a device cannot hold. */
export function requireFits(refusal: string | undefined): void {
  if (refusal !== undefined) throw new LimitError(refusal);
}
