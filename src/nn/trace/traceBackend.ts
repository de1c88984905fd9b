/** A backend that computes nothing: tensors have no memory, and operations are told to a watcher. */
import { type Backend, memoryOf, type Part, type RoleStorages, type TensorStorage } from "../../backend/backend.js";
import type { SolverChoice } from "../../planning/choice.js";
import type { TensorOperation, TensorSpec } from "../../planning/tensorOperation.js";
import { BYTES_PER_ELEMENT, type DType, type StoredValues } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import { type ConvOperation, resultRoles, shapeOfRole } from "../../problem/operation.js";

/** Is told what a network does while it is traced. */
export interface TraceWatcher {
  /** Whether tensors may be larger than the device holds. Not when absent. */
  readonly unbounded?: boolean;
  /** A convolution of any pass, with the solver that was asked for or measured. */
  onConvolution(
    operation: ConvOperation,
    operands: RoleStorages,
    results: readonly TensorStorage[],
    choice: SolverChoice | undefined,
  ): void;
  /** An operation whose results are kept is no part of a pass: it is not told. */
  onTensors(
    operation: TensorOperation,
    operands: Readonly<Record<string, TensorStorage>>,
    results: readonly TensorStorage[],
  ): void;
  /** A part of a tensor, which takes no memory and no dispatch. */
  onView(part: Part, source: TensorStorage, view: TensorStorage): void;
  /** A layer whose work is part of the last operation. */
  onFused?(shape: readonly number[]): void;
  /** A tensor's memory is free for others. */
  onRelease?(storage: TensorStorage): void;
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

/** Stands for a backend while a network is traced. What is not of the trace goes to the backend itself. */
export class TraceBackend {
  readonly #inner: Backend;
  readonly #watcher: TraceWatcher;

  constructor(inner: Backend, watcher: TraceWatcher) {
    this.#inner = inner;
    this.#watcher = watcher;
  }

  /** This in the backend's place. */
  asBackend(): Backend {
    const own: Partial<Backend> = {
      ...(this.#watcher.unbounded && { adapter: { ...this.#inner.adapter, maxTensorBytes: Infinity } }),
      upload: (_values: StoredValues, shape, dtype) => new TracedStorage({ shape, dtype }),
      run: (operation, operands, choice) => this.#run(operation, operands, choice),
      runTensors: (operation, operands) => this.#runTensors(operation, operands),
      view: (storage, part) => this.#view(storage, part),
      release: (storage) => {
        if (storage instanceof TracedStorage) this.#watcher.onRelease?.(storage);
        else this.#inner.release(storage);
      },
    };
    return inPlaceOf(this.#inner, own);
  }

  /** A tensor that a trace begins with. */
  input(spec: TensorSpec): TensorStorage {
    return new TracedStorage(spec);
  }

  #run(operation: ConvOperation, operands: RoleStorages, choice: SolverChoice | undefined): TensorStorage[] {
    const { dtype } = operation;
    const results = resultRoles(operation).map((role) => {
      return new TracedStorage({ shape: shapeOfRole(operation, role), dtype });
    });
    this.#watcher.onConvolution(operation, operands, results, choice);
    return results;
  }

  #view(storage: TensorStorage, part: Part): TensorStorage {
    const { dtype } = storage;
    const view = new TracedStorage({ shape: part.shape, dtype }, memoryOf(storage), (storage.begin ?? 0) + part.begin);
    this.#watcher.onView(part, storage, view);
    return view;
  }

  #runTensors(operation: TensorOperation, operands: Readonly<Record<string, TensorStorage>>): TensorStorage[] {
    const results = Object.values(operation.results).map((spec) => new TracedStorage(spec));
    if (!operation.isKept) this.#watcher.onTensors(operation, operands, results);
    return results;
  }
}

/** A backend of which some members are others. */
export function inPlaceOf(backend: Backend, own: Partial<Backend>): Backend {
  return new Proxy(backend, {
    get: (inner, name) => {
      if (name in own) return own[name as keyof Backend];
      const value: unknown = Reflect.get(inner, name, inner);
      return typeof value === "function" ? (value.bind(inner) as unknown) : value;
    },
  });
}
