/** A backend that computes nothing: operations are planned and counted, and tensors have no memory. */
import { type Backend, memoryOf, type Part, type RoleStorages, type TensorStorage } from "../../backend/backend.js";
import type { SolverChoice } from "../../planning/choice.js";
import type { SolverPlan } from "../../planning/solver.js";
import { selectTensorSolver, type TensorOperation, type TensorSpec } from "../../planning/tensorOperation.js";
import { BYTES_PER_ELEMENT, type DType, type StoredValues } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import { type ConvOperation, resultRoles, shapeOfRole, sumsProducts } from "../../problem/operation.js";
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

class TracedStorage implements TensorStorage {
  readonly dtype: DType;
  readonly size: number;
  readonly bytes: number;
  readonly whole: TensorStorage | undefined;
  readonly begin: number;

  constructor({ shape, dtype }: TensorSpec, whole?: TensorStorage, begin = 0) {
    this.whole = whole;
    this.begin = begin;
    this.dtype = dtype;
    this.size = product(shape);
    this.bytes = this.size * BYTES_PER_ELEMENT[dtype];
  }
}

const NAMES: Readonly<Partial<Record<ConvOperation["direction"], string>>> = {
  forward: "convolution",
  inputGradient: "transposed convolution",
};

/** Stands for a backend while a network is traced. What is not of the trace goes to the backend itself. */
export class TraceBackend {
  readonly #inner: Backend;
  readonly #onOperation: (operation: TracedOperation) => void;
  readonly #fields = new Fields();

  constructor(inner: Backend, onOperation: (operation: TracedOperation) => void) {
    this.#inner = inner;
    this.#onOperation = onOperation;
  }

  /** This in the backend's place. */
  asBackend(): Backend {
    const own: Partial<Backend> = {
      upload: (_values: StoredValues, shape, dtype) => new TracedStorage({ shape, dtype }),
      run: (operation, operands, choice) => this.#run(operation, operands, choice),
      runTensors: (operation, operands) => this.#runTensors(operation, operands),
      view: (storage, part) => this.#view(storage, part),
      release: (storage) => {
        if (!(storage instanceof TracedStorage)) this.#inner.release(storage);
      },
    };
    return new Proxy(this.#inner, {
      get: (inner, name) => {
        if (name in own) return own[name as keyof Backend];
        const value: unknown = Reflect.get(inner, name, inner);
        return typeof value === "function" ? (value.bind(inner) as unknown) : value;
      },
    });
  }

  /** A tensor that a trace begins with. */
  input(spec: TensorSpec): TensorStorage {
    const storage = new TracedStorage(spec);
    this.#fields.begin(storage, spec.shape[0]);
    return storage;
  }

  #run(operation: ConvOperation, operands: RoleStorages, choice: SolverChoice | undefined): TensorStorage[] {
    const { direction, dtype, problem, activation } = operation;
    const shapes = resultRoles(operation).map((role) => shapeOfRole(operation, role));
    const storages = shapes.map((shape) => new TracedStorage({ shape, dtype }));
    const field = this.#fields.afterConvolution(operation, operands, storages);
    this.#onOperation({
      name: NAMES[direction] ?? activation.name,
      shapes,
      bytes: bytesOf(storages),
      multiplyAdds: sumsProducts(operation) ? problem.multiplyAdds : 0,
      receptiveField: field,
      plan: this.#inner.capabilities && this.#inner.select(operation, choice).plan,
    });
    return storages;
  }

  /** Nothing is dispatched, and no memory taken. */
  #view(storage: TensorStorage, { begin, shape, name }: Part): TensorStorage {
    const { dtype } = storage;
    const view = new TracedStorage({ shape, dtype }, memoryOf(storage), (storage.begin ?? 0) + begin);
    this.#onOperation({
      name,
      shapes: [shape],
      bytes: 0,
      multiplyAdds: 0,
      receptiveField: this.#fields.after(undefined, [storage], [view]),
      plan: this.#inner.capabilities && { solver: "view", config: {}, dispatches: [], scratchBytes: {} },
    });
    return view;
  }

  #runTensors(operation: TensorOperation, operands: Readonly<Record<string, TensorStorage>>): TensorStorage[] {
    const specs = Object.values(operation.results);
    const storages = specs.map((spec) => new TracedStorage(spec));
    // It is no part of a pass.
    if (operation.isKept) return storages;
    const { capabilities } = this.#inner;
    this.#onOperation({
      name: operation.name,
      shapes: specs.map(({ shape }) => shape),
      bytes: bytesOf(storages),
      multiplyAdds: 0,
      receptiveField: this.#fields.after(operation.reach, Object.values(operands), storages),
      plan: capabilities && selectTensorSolver(operation, capabilities).plan,
    });
    return storages;
  }
}

const bytesOf = (storages: readonly TensorStorage[]): number => storages.reduce((sum, { bytes }) => sum + bytes, 0);
