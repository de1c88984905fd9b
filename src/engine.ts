/** Engine: what a caller holds. Tensors, convolutions, and the device behind them. */
import { NO_ACTIVATION, readActivation } from "./activation.js";
import type { AdapterDescription, Backend, RoleStorages, TensorStorage, Timing } from "./backend.js";
import { type Call, plainOperation } from "./calls.js";
import { BYTES_PER_ELEMENT, type DType, readDType } from "./dtype.js";
import { LimitError, require, show, TensorError } from "./errors.js";
import { type Explanation, explain, type ExplainShapes } from "./explain.js";
import { product } from "./geometry.js";
import { operandRoles, resultRoles, shapeOfRole, type TensorRole } from "./operation.js";
import { type OperationName, readOperationName } from "./operationNames.js";
import type { ConvOptions, TransposedSize } from "./options.js";
import { makeProblem, requireShape } from "./problem.js";
import { Tensor } from "./tensor.js";
import { makeTransposedProblem } from "./transposed.js";
import { UnsharedConvolutions } from "./unsharedConvolutions.js";

/** Memory in use, in bytes, and tensors not disposed of. */
export interface EngineMemory {
  /** Device memory of live tensors and of work not yet submitted. */
  readonly liveBytes: number;
  /** Device memory kept for later use. */
  readonly pooledBytes: number;
  readonly liveTensors: number;
}

/** What {@link Engine.explain} may be told: the operation's options, and what would be fused into it. */
export interface ExplainOptions extends ConvOptions, TransposedSize {
  /** Whether there is a bias, or one itself. */
  readonly bias?: boolean | Tensor;
  /** Whether there is a residual, or one itself. */
  readonly residual?: boolean | Tensor;
  /** Of the tensors; "float32" when absent. */
  readonly dtype?: DType;
}

/**
 * Runs convolutions on one device.
 *
 * Operations return at once: they record work. `tensor.data()` and {@link finish} submit it and wait.
 * Bad arguments throw from the call itself, before anything reaches the device, and leave everything as it was.
 */
export class Engine extends UnsharedConvolutions implements Disposable {
  readonly #backend: Backend;
  readonly #live = new Set<Tensor>();
  #disposed = false;

  /** Use `createEngine`. */
  constructor(backend: Backend) {
    super();
    this.#backend = backend;
  }

  /** The device, in words and as data. */
  get adapter(): AdapterDescription {
    return this.#backend.adapter;
  }

  /** The WebGPU device that the engine runs on; undefined with the CPU backend. Not to be destroyed. */
  get device(): GPUDevice | undefined {
    return this.#backend.device;
  }

  /**
   * Uploads values to the device.
   *
   * @param data row-major values; copied, and rounded to the dtype (too large a value becomes infinity in float16)
   * @param shape extents, each an integer of at least 1
   * @param options `dtype`: how the device stores the values, "float32" when absent
   * @throws ArgumentError when their product is not the number of values; LimitError beyond the device's limits.
   */
  tensor(data: ArrayLike<number>, shape: readonly number[], options: { readonly dtype?: DType } = {}): Tensor {
    this.#requireLive();
    const dtype = readDType(options.dtype);
    require(Array.isArray(shape) && shape.length >= 1, () => {
      return `shape is ${show(shape)}; expected a list of at least one dimension`;
    });
    requireShape("tensor", shape, shape.length, "");
    const size = product(shape);
    const length: unknown = (data as Partial<ArrayLike<number>> | null | undefined)?.length;
    require(typeof length === "number", () => `data is ${show(data)}; expected an array of numbers`);
    require(length === size, () =>
      `data has ${String(length)} values; expected ${shape.join(" * ")} = ${String(size)}`);
    this.#requireFits("tensor", shape, dtype);
    return this.#adopt(shape, this.#backend.upload(data, dtype));
  }

  /**
   * The plan of an operation without running it: solver chosen, solvers refused and why, dispatches, FLOPs, bytes.
   *
   * @param name of the operation, as the method is called
   * @param shapes the forward pass' `{ input, weight }`, whichever operation is asked about
   * @param options those of the operation; `bias: true` stands for a bias tensor
   */
  explain(name: OperationName, shapes: ExplainShapes, options: ExplainOptions = {}): Explanation {
    this.#requireLive();
    const named = readOperationName(name);
    require(named !== undefined, () => {
      return `operation is ${show(name)}; expected conv1d, conv2d, conv3d, convTranspose2d... or one of their gradients`;
    });
    const { rank, transposed, direction } = named;
    const make = transposed ? makeTransposedProblem : makeProblem;
    const problem = make(rank, shapes.input, shapes.weight, options);
    const isForward = direction === (transposed ? "inputGradient" : "forward");
    const has = (extra: boolean | Tensor | undefined): boolean => extra !== undefined && extra !== false;
    const operation = {
      ...plainOperation(direction, problem, { dtype: readDType(options.dtype) }),
      bias: has(options.bias) && (isForward || (direction === "weightGradient" && !transposed)),
      residual: has(options.residual) && isForward,
      activation: isForward ? readActivation(options.activation) : NO_ACTIVATION,
      masked: !isForward && !transposed && readActivation(options.activation).name === "relu",
    };
    return explain(operation, this.#backend.select(operation, options.solver));
  }

  /** Submits all recorded work and waits for it. Rejects with a DeviceError if the device reported one. */
  async finish(): Promise<void> {
    this.#requireLive();
    await this.#backend.finish();
  }

  /**
   * Measures what `record` records, alone, on the device's own clock where it has timestamps. Earlier work is
   * finished first and kernels are compiled before the clock starts only if they ran before: warm up.
   */
  async time(record: () => void): Promise<Timing> {
    this.#requireLive();
    return await this.#backend.time(record);
  }

  memory(): EngineMemory {
    return { ...this.#backend.memory(), liveTensors: this.#live.size };
  }

  /** Disposes of every tensor and of the device, if the engine made it. Pending reads reject. Twice is harmless. */
  dispose(): void {
    if (this.#disposed) return;
    for (const tensor of this.#live) tensor.dispose();
    this.#disposed = true;
    this.#backend.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  readonly #owner = {
    read: async (storage: TensorStorage) => await this.#backend.read(storage),
    release: (tensor: Tensor, storage: TensorStorage) => {
      this.#live.delete(tensor);
      if (!this.#disposed) this.#backend.release(storage);
    },
  };

  protected override run(
    { operation, operands, names, solver }: Call,
    shapes?: readonly (readonly number[])[],
  ): Tensor[] {
    this.#requireLive();
    const storages: RoleStorages = {};
    for (const role of operandRoles(operation)) {
      const tensor = operands[role];
      if (tensor) storages[role] = tensor.storage(this.#owner, names[role] ?? role);
    }
    const roles: readonly TensorRole[] = resultRoles(operation);
    for (const role of roles) this.#requireFits("the result", shapeOfRole(operation, role), operation.dtype);
    const results = this.#backend.run(operation, storages, solver);
    return roles.map((role, i) => this.#adopt(shapes ? shapes[i] : shapeOfRole(operation, role), results[i]));
  }

  #adopt(shape: readonly number[], storage: TensorStorage): Tensor {
    const tensor = new Tensor(this.#owner, shape, storage);
    this.#live.add(tensor);
    return tensor;
  }

  #requireFits(name: string, shape: readonly number[], dtype: DType): void {
    const bytes = BYTES_PER_ELEMENT[dtype] * product(shape);
    const { maxTensorBytes, description } = this.#backend.adapter;
    if (bytes > maxTensorBytes) {
      const limit = `a tensor on ${description} holds at most ${maxTensorBytes.toLocaleString("en")} bytes`;
      throw new LimitError(`${name} of shape ${show([...shape])} needs ${bytes.toLocaleString("en")} bytes; ${limit}`);
    }
  }

  #requireLive(): void {
    if (this.#disposed) throw new TensorError("the engine was disposed; expected a live engine");
  }
}
