/** Engine: what a caller holds. Validates, describes the operation, and hands it to a backend. */
import type { AdapterDescription, Backend, RoleStorages, TensorStorage, Timing } from "./backend.js";
import { LimitError, require, show, TensorError } from "./errors.js";
import { type Explanation, explain, type ExplainShapes } from "./explain.js";
import { product } from "./geometry.js";
import {
  type ConvOperation,
  type Direction,
  operandRoles,
  resultRoles,
  shapeOfRole,
  type TensorRole,
} from "./operation.js";
import type { Activation, ConvOptions, ForwardOptions, GradientOptions } from "./options.js";
import { type ConvProblem, makeProblem, requireSameShape, requireShape } from "./problem.js";
import { Tensor } from "./tensor.js";

/** The operations that {@link Engine.explain} knows. */
export type OperationName = "conv2d" | "conv2dInputGradient" | "conv2dWeightGradient" | "conv2dBiasGradient";

const DIRECTION_OF: Readonly<Record<OperationName, Direction>> = {
  conv2d: "forward",
  conv2dInputGradient: "inputGradient",
  conv2dWeightGradient: "weightGradient",
  conv2dBiasGradient: "biasGradient",
};

/** Memory in use, in bytes, and tensors not disposed of. */
export interface EngineMemory {
  /** Device memory of live tensors and of work not yet submitted. */
  readonly liveBytes: number;
  /** Device memory kept for later use. */
  readonly pooledBytes: number;
  readonly liveTensors: number;
}

/** All gradients of a layer. Each tensor is the caller's to dispose of. */
export interface ConvGradients {
  readonly input: Tensor;
  readonly weight: Tensor;
  readonly bias: Tensor;
}

type RoleTensors = Partial<Record<TensorRole, Tensor>>;

const ELEMENT_BYTES = 4;
const ROLE_NAMES: Readonly<Record<Direction, Partial<Record<TensorRole, string>>>> = {
  forward: { x: "x", w: "w", bias: "bias" },
  inputGradient: { y: "dy", w: "w", activated: "output" },
  weightGradient: { y: "dy", x: "x", activated: "output" },
  biasGradient: { y: "dy", activated: "output" },
};

/**
 * Runs convolutions on one device.
 *
 * Operations return at once: they record work. `tensor.data()` and {@link finish} submit it and wait.
 * Bad arguments throw from the call itself, before anything reaches the device, and leave everything as it was.
 */
export class Engine implements Disposable {
  readonly #backend: Backend;
  readonly #live = new Set<Tensor>();
  #disposed = false;

  /** Use `createEngine`. */
  constructor(backend: Backend) {
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
   * @param data row-major values; copied
   * @param shape extents, each an integer of at least 1
   * @throws ArgumentError when their product is not the number of values; LimitError beyond the device's limits.
   */
  tensor(data: ArrayLike<number>, shape: readonly number[]): Tensor {
    this.#requireLive();
    require(Array.isArray(shape) && shape.length >= 1, () =>
      `shape is ${show(shape)}; expected a list of at least one dimension`);
    requireShape("tensor", shape, shape.length, "");
    const size = product(shape);
    const length: unknown = (data as Partial<ArrayLike<number>> | null | undefined)?.length;
    require(typeof length === "number", () => `data is ${show(data)}; expected an array of numbers`);
    require(length === size, () =>
      `data has ${String(length)} values; expected ${shape.join(" * ")} = ${String(size)}`);
    this.#requireFits("tensor", shape);
    const values = data instanceof Float32Array ? new Float32Array(data) : Float32Array.from(data);
    return this.#adopt(shape, this.#backend.upload(values));
  }

  /**
   * 2D convolution (cross-correlation, as everywhere in deep learning):
   * `y[n, o, i, j] = activation(bias[o] + sum over c, k, l of w[o, c, k, l] * x[n, c, i * S + k * D - P, j * S + l * D - P])`.
   *
   * @param x input `[N, C, H, W]`
   * @param w weight `[out, C / groups, kh, kw]`
   * @returns `[N, out, OH, OW]` with `OH = floor((H + padTop + padBottom - D * (kh - 1) - 1) / S) + 1`; the caller's to dispose of
   * @throws ArgumentError, TensorError, LimitError, SolverError, naming the rule and the values.
   */
  conv2d(x: Tensor, w: Tensor, options: ForwardOptions = {}): Tensor {
    requireTensor("x", x);
    requireTensor("w", w);
    const { bias, activation } = options;
    const problem = makeProblem(2, x.shape, w.shape, options);
    if (bias !== undefined) {
      requireTensor("bias", bias);
      requireSameShape("bias", bias.shape, [problem.outChannels], "one value an output channel");
    }
    const operation = describe("forward", problem, bias !== undefined, activation);
    const [y] = this.#run(operation, { x, w, ...(bias && { bias }) }, options);
    return y;
  }

  /**
   * Gradient of {@link conv2d} with respect to its input: a transposed convolution of dy with w.
   *
   * @param dy gradient of the output, `[N, out, OH, OW]`
   * @param w weight `[out, C / groups, kh, kw]`
   * @param inputShape shape of x, `[N, C, H, W]`
   * @param options those of the forward pass; with `activation`, also its `output`
   * @returns dx, shaped as x; the caller's to dispose of
   */
  conv2dInputGradient(dy: Tensor, w: Tensor, inputShape: readonly number[], options: GradientOptions = {}): Tensor {
    requireTensor("dy", dy);
    requireTensor("w", w);
    const problem = makeProblem(2, inputShape, w.shape, options);
    const operands = gradientOperands(problem, dy, options);
    const operation = describe("inputGradient", problem, false, options.activation);
    const [dx] = this.#run(operation, { ...operands, w }, options);
    return dx;
  }

  /**
   * Gradient of {@link conv2d} with respect to its weight: x correlated with dy, summed over the batch.
   *
   * @param dy gradient of the output, `[N, out, OH, OW]`
   * @param x input `[N, C, H, W]`
   * @param weightShape shape of w, `[out, C / groups, kh, kw]`
   * @param options those of the forward pass; with `activation`, also its `output`
   * @returns dw, shaped as w; the caller's to dispose of
   */
  conv2dWeightGradient(dy: Tensor, x: Tensor, weightShape: readonly number[], options: GradientOptions = {}): Tensor {
    requireTensor("dy", dy);
    requireTensor("x", x);
    const problem = makeProblem(2, x.shape, weightShape, options);
    const operands = gradientOperands(problem, dy, options);
    const operation = describe("weightGradient", problem, false, options.activation);
    const [dw] = this.#run(operation, { ...operands, x }, options);
    return dw;
  }

  /**
   * Gradient of {@link conv2d} with respect to its bias: dy summed over batch and positions.
   *
   * @param dy gradient of the output, `[N, out, OH, OW]`
   * @returns db, `[out]`; the caller's to dispose of
   */
  conv2dBiasGradient(dy: Tensor, options: GradientOptions = {}): Tensor {
    requireTensor("dy", dy);
    const problem = biasProblem(dy.shape);
    const operation = describe("biasGradient", problem, false, options.activation);
    const [db] = this.#run(operation, gradientOperands(problem, dy, options), options);
    return db;
  }

  /**
   * All three gradients of {@link conv2d}. The bias gradient is computed inside the weight gradient's kernel,
   * so this takes one pass over dy less than the three calls. Both kernels are the engine's choice.
   *
   * @param dy gradient of the output, `[N, out, OH, OW]`
   * @param x input `[N, C, H, W]`
   * @param w weight `[out, C / groups, kh, kw]`
   */
  conv2dBackward(dy: Tensor, x: Tensor, w: Tensor, options: Omit<GradientOptions, "solver"> = {}): ConvGradients {
    requireTensor("dy", dy);
    requireTensor("x", x);
    requireTensor("w", w);
    const problem = makeProblem(2, x.shape, w.shape, options);
    const operands = gradientOperands(problem, dy, options);
    const toWeight = describe("weightGradient", problem, true, options.activation);
    const toInput = describe("inputGradient", problem, false, options.activation);
    const [weight, bias] = this.#run(toWeight, { ...operands, x });
    const [input] = this.#run(toInput, { ...operands, w });
    return { input, weight, bias };
  }

  /**
   * The plan of an operation without running it: solver chosen, solvers refused and why, dispatches, FLOPs, bytes.
   *
   * @param shapes those of the forward pass, `{ input, weight }`, whichever operation is asked about
   * @param options those of the operation; `bias: true` stands for a bias tensor
   */
  explain(
    operation: OperationName,
    shapes: ExplainShapes,
    options: ConvOptions & { readonly bias?: boolean | Tensor } = {},
  ): Explanation {
    this.#requireLive();
    require(Object.hasOwn(DIRECTION_OF, operation), () => {
      return `operation is ${show(operation)}; expected ${Object.keys(DIRECTION_OF).map(show).join(", ")}`;
    });
    const direction = DIRECTION_OF[operation];
    const problem = makeProblem(2, shapes.input, shapes.weight, options);
    const hasBias =
      options.bias !== undefined &&
      options.bias !== false &&
      direction !== "inputGradient" &&
      direction !== "biasGradient";
    const described = describe(direction, problem, hasBias, options.activation);
    return explain(described, this.#backend.select(described, options.solver));
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

  /** Runs an operation; the results come in the order of `resultRoles`. */
  #run(operation: ConvOperation, operands: RoleTensors, { solver }: ConvOptions = {}): Tensor[] {
    this.#requireLive();
    const storages: RoleStorages = {};
    for (const role of operandRoles(operation)) {
      const tensor = operands[role];
      if (tensor) storages[role] = tensor.storage(this.#owner, ROLE_NAMES[operation.direction][role] ?? role);
    }
    const roles = resultRoles(operation);
    for (const role of roles) this.#requireFits("the result", shapeOfRole(operation.problem, role));
    const results = this.#backend.run(operation, storages, solver);
    return roles.map((role, i) => this.#adopt(shapeOfRole(operation.problem, role), results[i]));
  }

  #adopt(shape: readonly number[], storage: TensorStorage): Tensor {
    const tensor = new Tensor(this.#owner, shape, storage);
    this.#live.add(tensor);
    return tensor;
  }

  #requireFits(name: string, shape: readonly number[]): void {
    const bytes = ELEMENT_BYTES * product(shape);
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

function requireTensor(name: string, value: unknown): asserts value is Tensor {
  require(value instanceof Tensor, () =>
    `${name} is ${show(value)}; expected a tensor made by engine.tensor or an operation`);
}

const ACTIVATIONS: readonly Activation[] = ["none", "relu"];

function describe(
  direction: Direction,
  problem: ConvProblem,
  bias: boolean,
  activation: Activation = "none",
): ConvOperation {
  require(ACTIVATIONS.includes(activation), () =>
    `activation is ${show(activation)}; expected ${ACTIVATIONS.map(show).join(" or ")}`);
  return { direction, problem, bias, activation };
}

/** dy, and the forward output where an activation needs it, with their shapes checked. */
function gradientOperands(
  problem: ConvProblem,
  dy: Tensor,
  { activation = "none", output }: GradientOptions,
): RoleTensors {
  requireSameShape("dy", dy.shape, problem.outputShape, "the output's shape");
  if (activation === "none") return { y: dy };
  require(output !== undefined, () => {
    return `activation ${show(activation)} in a gradient needs options.output, the forward pass' output; got none`;
  });
  requireTensor("output", output);
  requireSameShape("output", output.shape, problem.outputShape, "the shape of dy");
  return { y: dy, activated: output };
}

/** A pointwise problem whose output has this shape: all that the bias gradient depends on. */
function biasProblem(outputShape: readonly number[]): ConvProblem {
  requireShape("dy", outputShape, 4, "[N, C, H, W]");
  const [batch, channels, ...spatial] = outputShape;
  return makeProblem(2, [batch, 1, ...spatial], [channels, 1, 1, 1]);
}
