/** Operations of a network as they would be planned, with the layers that call them. */
import type { Backend, Part, RoleStorages, TensorStorage } from "../../backend/backend.js";
import type { SolverChoice } from "../../planning/choice.js";
import type { SolverPlan } from "../../planning/solver.js";
import { selectTensorSolver, type TensorOperation, type TensorSpec } from "../../planning/tensorOperation.js";
import { type ConvOperation, resultRoles, shapeOfRole, sumsProducts } from "../../problem/operation.js";
import type { TraceWatcher } from "../trace/traceBackend.js";
import { Fields } from "./fields.js";

/** An operation of a network, as it was planned. */
export interface TracedOperation {
  /** "convolution", "maxPool2d". */
  readonly name: string;
  /** Of its results. */
  readonly shapes: readonly (readonly number[])[];
  readonly bytes: number;
  /** Of the convolution itself, padding counted; 0 for others. */
  readonly multiplyAdds: number;
  /** Positions of the network's input, along each spatial axis, that a result is computed from; none where that is all of them. */
  readonly receptiveField: readonly number[] | undefined;
  /** On the engine's device; undefined on the CPU, and of what runs in another layer's pass. */
  readonly plan: SolverPlan | undefined;
  /** The path of the layer in whose pass it runs; absent where it has one of its own. */
  readonly fusedInto?: string;
}

/** An operation, and the path of the layer that called it. */
export interface TracedStep {
  readonly path: string;
  readonly operation: TracedOperation;
}

const NAMES: Readonly<Partial<Record<ConvOperation["direction"], string>>> = {
  forward: "convolution",
  inputGradient: "transposed convolution",
};

/** Plans and counts what a traced network does. */
export class OperationTrace implements TraceWatcher {
  readonly steps: TracedStep[] = [];
  readonly #backend: Backend;
  readonly #path: () => string;
  readonly #fields = new Fields();

  /** @param path of the layer that is at work */
  constructor(backend: Backend, path: () => string) {
    this.#backend = backend;
    this.#path = path;
  }

  begin(input: TensorStorage, { shape }: TensorSpec): void {
    this.#fields.begin(input, shape[0]);
  }

  onConvolution(
    operation: ConvOperation,
    operands: RoleStorages,
    results: readonly TensorStorage[],
    choice: SolverChoice | undefined,
  ): void {
    const { direction, problem, activation } = operation;
    const field = this.#fields.afterConvolution(operation, operands, results);
    this.#add({
      name: NAMES[direction] ?? activation.name,
      shapes: resultRoles(operation).map((role) => shapeOfRole(operation, role)),
      bytes: bytesOf(results),
      multiplyAdds: sumsProducts(operation) ? problem.multiplyAdds : 0,
      receptiveField: field,
      plan: this.#backend.capabilities && this.#backend.select(operation, choice).plan,
    });
  }

  onView({ name, shape }: Part, source: TensorStorage, view: TensorStorage): void {
    this.#add({
      name,
      shapes: [shape],
      bytes: 0,
      multiplyAdds: 0,
      receptiveField: this.#fields.after(undefined, [source], [view]),
      plan: this.#backend.capabilities && { solver: "view", config: {}, dispatches: [], scratchBytes: {} },
    });
  }

  onTensors(
    operation: TensorOperation,
    operands: Readonly<Record<string, TensorStorage>>,
    results: readonly TensorStorage[],
  ): void {
    const { capabilities, faulty } = this.#backend;
    this.#add({
      name: operation.name,
      shapes: Object.values(operation.results).map(({ shape }) => shape),
      bytes: bytesOf(results),
      multiplyAdds: 0,
      receptiveField: this.#fields.after(operation.reach, Object.values(operands), results),
      plan: capabilities && selectTensorSolver(operation, capabilities, faulty).plan,
    });
  }

  onFused(shape: readonly number[]): void {
    const before = this.steps.at(-1);
    this.#add({
      name: "fused",
      shapes: [shape],
      bytes: 0,
      multiplyAdds: 0,
      receptiveField: before?.operation.receptiveField,
      plan: undefined,
      fusedInto: before?.operation.fusedInto ?? before?.path ?? "",
    });
  }

  #add(operation: TracedOperation): void {
    this.steps.push({ path: this.#path(), operation });
  }
}

const bytesOf = (storages: readonly TensorStorage[]): number => storages.reduce((sum, { bytes }) => sum + bytes, 0);
