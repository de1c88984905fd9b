/** Engine: what a caller holds. Tensors, convolutions, and the device behind them. */
import type {
  AdapterDescription,
  Backend,
  RoleStorages,
  SpecialValues,
  TensorStorage,
  Timing,
} from "../backend/backend.js";
import { type Call, requireTensor } from "../calls/calls.js";
import { type DrawOptions, type DrawTarget, readPlanes } from "../backend/draw.js";
import { BYTES_PER_ELEMENT, type DType, readDType, storedValues } from "../problem/dtype.js";
import { DISPOSE } from "../base/dispose.js";
import { ConvError, LimitError, require, show, SolverError, TensorError } from "../base/errors.js";
import { describeOperation, type ExplainOptions } from "../calls/describeOperation.js";
import { type Explanation, explain, type ExplainShapes, NO_SELECTION } from "../calls/explain.js";
import { EngineCore } from "./engineCore.js";
import { product } from "../problem/geometry.js";
import { Scope } from "../tensor/lifetimes.js";
import { listOf, type NumberList } from "../base/list.js";
import { operandRefusal, resultRefusal, tensorRefusal } from "../backend/limits.js";
import { type ConvOperation, operandRoles, resultRoles, shapeOfRole, type TensorRole } from "../problem/operation.js";
import type { OperationName } from "../problem/operationNames.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import { withBatch } from "../problem/problem.js";
import { readExtents } from "../problem/shapes.js";
import {
  BYTES_PER_PIXEL,
  type ImageOptions,
  imageShape,
  type ImageSource,
  readImages,
  readPixels,
} from "../problem/pixels.js";
import { Compiled, type Encoded, Recording } from "./recording.js";
import { Tensor } from "../tensor/tensor.js";
import type { SolverChoice } from "../planning/choice.js";
import type { Tuning } from "../tuner/tuning.js";
import { UnsharedConvolutions } from "./unsharedConvolutions.js";
import { type DataOptions, dimensionsOf, readValues, type TensorData } from "../tensor/values.js";
import type { GPUBuffer, GPUCommandEncoder, GPUDevice } from "../base/webgpuTypes.js";

/** How {@link Engine.tensor} stores its values, and what they are. */
export interface TensorOptions extends DataOptions {
  /** "float32" when absent. */
  readonly dtype?: DType;
}

/** Memory in use, in bytes, and tensors not disposed of. */
export interface EngineMemory {
  /** Device memory of live tensors, of what is kept of their values in other forms, and of work not yet submitted. */
  readonly liveBytes: number;
  /** Device memory kept for later use. */
  readonly pooledBytes: number;
  readonly liveTensors: number;
}

/** What {@link Engine.wrap} is told of a caller's buffer. */
export interface WrapOptions {
  readonly dtype?: DType;
  readonly offset?: number;
}

const TENSOR_OPTIONS = optionKeys<TensorOptions>({ dtype: 1, bits: 1 }, { string: "dtype" });
const WRITE_OPTIONS = optionKeys<DataOptions>({ bits: 1 }, { string: "bits" });
const WRAP_OPTIONS = optionKeys<WrapOptions>({ dtype: 1, offset: 1 }, { string: "dtype", number: "offset" });

/**
 * Runs convolutions on one device.
 *
 * Operations return at once: they record work. `tensor.data()` and {@link finish} submit it and wait.
 * Bad arguments throw from the call itself, before anything reaches the device, and leave everything as it was.
 */
export class Engine extends UnsharedConvolutions implements Disposable {
  /** Choices of solvers that were measured on this device. */
  readonly tuning: Tuning;
  readonly #backend: Backend;
  readonly #core: EngineCore;
  readonly #scope: Scope | undefined;

  /** Use `createEngine`, or {@link scope}. */
  constructor(core: EngineCore, scope?: Scope) {
    super();
    require(core instanceof EngineCore, () => "an engine was constructed; expected await createEngine()");
    this.#core = core;
    this.#backend = core.backend;
    this.tuning = core.tuning;
    this.#scope = scope;
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
   * @param data row-major values: numbers in a typed array, an array, or arrays of arrays; copied, and rounded to the
   *   dtype (too large a value becomes infinity in float16). A Uint16Array holds float16 bits where the dtype is float16
   * @param shape extents, each an integer of at least 1, or 0 for an empty batch; that of the data itself when absent
   * @param options `dtype`: how the device stores the values, "float32" when absent; `bits`: what the bit patterns in a
   *   Uint16Array mean, "float16" or "bfloat16"
   * @throws ArgumentError when their product is not the number of values, or where the data holds anything but numbers;
   *   LimitError beyond the device's limits.
   */
  tensor(data: TensorData, shape: NumberList = dimensionsOf("data", data), options: TensorOptions = {}): Tensor {
    requireOptions(options, TENSOR_OPTIONS);
    const dtype = readDType(options.dtype);
    const extents = this.#readExtents(shape, dtype);
    const values = readValues("data", data, extents, dtype, options);
    return this.#adopt(extents, this.#backend.upload(values, extents, dtype));
  }

  /**
   * Gives a tensor new values, in the order of the calls: what was recorded before sees the old ones, what is called later
   * the new ones. A caller's encoder that is submitted once this has resolved reads the new ones.
   *
   * @param values row-major, as many as the tensor has, in any form that {@link tensor} takes; copied, and rounded to its
   *   dtype
   * @throws ArgumentError for another number of values, for anything but numbers, or for an image; TensorError if disposed.
   */
  async write(tensor: Tensor, values: TensorData, options: DataOptions = {}): Promise<void> {
    this.#requireLive();
    requireTensor("tensor", tensor);
    requireOptions(options, WRITE_OPTIONS);
    const { dtype, shape } = tensor;
    require(dtype !== "rgba8unorm", () => "tensor is an image; expected values: make a new one with engine.image");
    const storage = tensor.storage(this.#core.owner, "tensor");
    const write = this.#backend.write(storage, readValues("values", values, shape, dtype, options, true));
    await this.#core.waits.on(write);
  }

  /**
   * A picture as a tensor, for the first layer of a network: `(channel / 255 - mean) / std`, as torchvision's
   * `ToTensor` and `Normalize`. The pixels are kept as they are, four bytes each, and convolutions read and
   * normalise them themselves (weight gradients unpack them first). The source may change, or be closed, once this has
   * returned.
   *
   * @param source ImageData, ImageBitmap, VideoFrame, canvas, image or video element, or a GPUTexture (of the engine's
   *   device, 8 bits a channel, with `COPY_SRC`); or a list of them, all of one size, for a batch
   * @returns `[N, channels, H, W]`, or as `options.layout` says; on the CPU, where only ImageData will do, in float32
   * @throws ArgumentError for what is no image, or none that can be read; LimitError beyond the device's limits.
   */
  image(source: ImageSource | readonly ImageSource[], options: ImageOptions = {}): Tensor {
    this.#requireLive();
    const { images, size, order } = readImages(source, (image) => this.#backend.pixelOrder(image));
    const pixels = readPixels(options, size.width * size.height, order);
    const shape = [images.length, size.height, size.width];
    requireFits(tensorRefusal("the image", shape, BYTES_PER_PIXEL, this.#backend));
    return this.#adopt(imageShape(pixels, images.length, size), this.#backend.uploadImages(images, size, pixels));
  }

  /**
   * A caller's buffer as a tensor, without copying. The buffer stays the caller's: disposing of the tensor, or of the
   * engine, leaves it alone. Operations read it when they are submitted, so until `await engine.submit()` it must live
   * and its values stay.
   *
   * @param buffer on the engine's device, with `GPUBufferUsage.STORAGE`, and `COPY_SRC` if it is to be read back
   * @param shape extents of the values in it, row-major
   * @param options `dtype`: how the values are stored, "float32" when absent; `offset` where they begin, in bytes, a
   *   multiple of the device's `minStorageBufferOffsetAlignment`; 0 when absent
   * @throws ArgumentError when the buffer is too small or lacks the usage; DeviceError on an engine without a GPU.
   */
  wrap(buffer: GPUBuffer, shape: NumberList, options: WrapOptions = {}): Tensor {
    requireOptions(options, WRAP_OPTIONS);
    const dtype = readDType(options.dtype);
    const extents = this.#readExtents(shape, dtype);
    const { offset = 0 } = options;
    const storage = this.#core.requireGpu("wrap").wrap(buffer, offset, extents, dtype);
    return this.#adopt(extents, storage);
  }

  /**
   * The plan of an operation without running it: solver chosen, solvers refused and why, dispatches, FLOPs, bytes; and the
   * limit of the device, where no call can hold it.
   *
   * @param name of the operation, as the method is called
   * @param shapes the forward pass' `{ input, weight }`, whichever operation is asked about
   * @param options those of the operation; `bias: true` stands for a bias tensor
   */
  explain(name: OperationName, shapes: ExplainShapes, options: ExplainOptions = {}): Explanation {
    this.#requireLive();
    const operation = describeOperation(name, shapes, options);
    const { problem } = operation;
    // What is planned for an empty batch is what one sample would get.
    const planned = problem.batch > 0 ? operation : { ...operation, problem: withBatch(problem, 1) };
    const limit = operandRefusal(operation, this.#backend) ?? resultRefusal(operation, this.#backend);
    const tuned = options.solver === undefined ? this.tuning.choiceFor(planned) : undefined;
    const chosenBy = options.solver !== undefined ? "caller" : tuned ? "tuning" : "model";
    try {
      return explain(operation, this.#backend.select(planned, options.solver ?? tuned), chosenBy, limit);
    } catch (error) {
      // Sizes that nothing can hold need not be plannable either.
      if (error instanceof SolverError || !(error instanceof ConvError)) throw error;
      if (limit === undefined && !(error instanceof LimitError)) throw error;
      return explain(operation, NO_SELECTION, chosenBy, limit ?? error.message);
    }
  }

  /**
   * Records operations into the caller's own command encoder, as one compute pass, in place of the engine's next
   * submission. Waits for kernels that still compile; everything recorded before is submitted first.
   *
   * Results can be used by later operations, and read, once the caller has submitted the encoder and said so.
   *
   * @param encoder of the engine's device, open, with no pass begun
   * @param record calls operations, and nothing that waits; what it returns comes back as `result`
   * @throws DeviceError on an engine without a GPU; whatever `record` throws, and then nothing was encoded.
   */
  async encode<Result>(encoder: GPUCommandEncoder, record: () => Result): Promise<Encoded<Result>> {
    this.#requireLive();
    const recording = new Recording(record, this.#core.lifetimes);
    const submitted = await this.#core.waits.on(this.#core.requireGpu("encode").encode(encoder, recording.call));
    return { result: recording.result, submitted };
  }

  /**
   * Records a fixed sequence of operations, to be replayed by `run()` at a fraction of the host's cost: a network's
   * layers, or a step of training. Nothing of it runs yet. Waits for kernels that still compile.
   *
   * What it makes and disposes of stays reserved for it. What it reads, and the results that are left, must live while it
   * runs; {@link write} gives its inputs new values.
   *
   * @param record calls operations, and nothing that waits; what it returns comes back as `result`
   * @throws DeviceError on an engine without a GPU, or if a kernel does not compile; whatever `record` throws.
   */
  async compile<Result>(record: () => Result): Promise<Compiled<Result>> {
    this.#requireLive();
    const recording = new Recording(record, this.#core.lifetimes);
    const operands = new Set<Tensor>();
    const compiling = this.#core.requireGpu("compile").compile(() => {
      this.#core.operands = operands;
      try {
        recording.call();
      } finally {
        this.#core.operands = undefined;
      }
    });
    const sequence = await this.#core.waits.on(compiling);
    const compiled = new Compiled(recording.result, sequence);
    this.#core.operandsOf.set(compiled, operands);
    return compiled;
  }

  /**
   * Counts infinities and NaNs of a tensor on the device: overflow, above all in float16, is never silent to who asks.
   *
   * @throws TensorError if disposed or another engine's; DeviceError if the values could not be computed.
   */
  async check(tensor: Tensor): Promise<SpecialValues> {
    this.#requireLive();
    requireTensor("tensor", tensor);
    return await this.#core.waits.on(this.#backend.check(tensor.storage(this.#core.owner, "tensor")));
  }

  /**
   * Draws a channel of a tensor (or three, as colours) onto a canvas, or a texture, without reading anything back.
   * Submits all recorded work; resolves once the drawing is on the device's queue. Where nothing needs compiling that
   * is at once, so that several draws in one task share a canvas' frame.
   *
   * @param tensor `[N, C, H, W]`, or as `options.layout` says; one sample without N, and an image too
   * @param target the context of a canvas configured for {@link device}, or a texture of it, with `RENDER_ATTACHMENT`
   * @throws ArgumentError, TensorError; DeviceError on an engine without a GPU, or if the values could not be computed.
   */
  async draw(tensor: Tensor, target: DrawTarget, options: DrawOptions = {}): Promise<void> {
    this.#requireLive();
    requireTensor("tensor", tensor);
    const storage = tensor.storage(this.#core.owner, "tensor");
    const planes = readPlanes(tensor.shape, options, tensor.pixels !== undefined);
    await this.#core.waits.on(this.#core.requireGpu("draw").draw(storage, planes, target));
  }

  /**
   * Submits all recorded work; resolves once it is on the device's queue. What the caller submits after that comes
   * after it. Doesn't wait for results.
   */
  async submit(): Promise<void> {
    this.#requireLive();
    await this.#core.waits.on(this.#backend.submit());
  }

  /**
   * Submits all recorded work and waits for it, and for tuning on first use. Rejects with a DeviceError if the device
   * reported one.
   */
  async finish(): Promise<void> {
    this.#requireLive();
    await this.#core.waits.on(this.#backend.finish().then(() => this.tuning.settled()));
  }

  /**
   * Measures what `record` records, alone, on the device's own clock where it has timestamps. Earlier work is
   * finished first and kernels are compiled before the clock starts only if they ran before: warm up.
   */
  async time(record: () => void): Promise<Timing> {
    this.#requireLive();
    const recording = new Recording(record, this.#core.lifetimes);
    return await this.#core.waits.on(this.#backend.time(recording.call));
  }

  memory(): EngineMemory {
    return { ...this.#backend.memory(), liveTensors: this.#core.lifetimes.liveTensors };
  }

  /**
   * A part of the work whose tensors are given back at its end, but those that are kept:
   *
   * ```ts
   * const y = engine.scope((local) => local.conv2d(local.conv2d(x, w1), w2)); // what is returned is kept
   *
   * using local = engine.scope(); // until the block ends
   * const y = local.keep(local.conv2d(local.conv2d(x, w1), w2));
   * ```
   *
   * With a function: it is called with an engine of the same device, whose tensors are the scope's; so are those that any
   * engine object makes until the function returns. Where it is async the scope lasts until it has settled, and what
   * others make meanwhile is not the scope's: call the methods of the engine that was handed in. What the function returns
   * is kept: tensors, also within arrays, maps, sets and objects. What is kept is the enclosing scope's, where there is one.
   *
   * @returns what the function returned; without one the scope itself, an engine whose `dispose` ends it
   * @throws whatever the function throws; what it was told to {@link keep} by then is kept.
   */
  scope(): Engine;
  scope<Result>(run: (local: Engine) => Result): Result;
  scope<Result>(run?: (local: Engine) => Result): Result | Engine {
    this.#requireLive();
    const { lifetimes } = this.#core;
    const scope = new Scope(this.#scope ?? lifetimes.scopeAtHand());
    const local = new Engine(this.#core, scope);
    if (run === undefined) return local;
    require(typeof run === "function", () => `run is ${show(run)}; expected a function, or nothing`);
    let isWaiting = false;
    try {
      const result = lifetimes.within(scope, () => run(local));
      if (result instanceof Promise) {
        isWaiting = true;
        return this.#endWith(scope, result as Promise<unknown>) as Result;
      }
      lifetimes.keep(scope, result);
      return result;
    } finally {
      if (!isWaiting) lifetimes.close(scope);
    }
  }

  async #endWith(scope: Scope, pending: Promise<unknown>): Promise<unknown> {
    try {
      const result = await pending;
      this.#core.lifetimes.keep(scope, result);
      return result;
    } finally {
      this.#core.lifetimes.close(scope);
    }
  }

  /**
   * Takes tensors out of the scope at hand, which then leaves them alone; without one nothing is to be done.
   *
   * @param value a tensor, or what holds tensors: arrays, maps, sets and objects
   * @returns it
   */
  keep<Value>(value: Value): Value {
    const scope = this.#scope ?? this.#core.lifetimes.scopeAtHand();
    if (scope) this.#core.lifetimes.keep(scope, value);
    return value;
  }

  /**
   * Disposes of every tensor and of the device, if the engine made it; of a {@link scope}, of what was made in it and not
   * kept. An engine at any moment, in a recording too: whatever waits for something of it then rejects with a DeviceError at
   * once. Twice is harmless.
   */
  dispose(): void {
    if (this.#scope) this.#core.lifetimes.close(this.#scope);
    else this.#core.dispose();
  }

  [DISPOSE](): void {
    this.dispose();
  }

  protected override run(
    { operation, operands, names, solver }: Call,
    shapes?: readonly (readonly number[])[],
  ): Tensor[] {
    this.#requireLive();
    const storages: RoleStorages = {};
    for (const role of operandRoles(operation)) {
      const tensor = operands[role];
      if (!tensor) continue;
      storages[role] = tensor.storage(this.#core.owner, names[role] ?? role);
      this.#core.operands?.add(tensor);
    }
    const roles: readonly TensorRole[] = resultRoles(operation);
    requireFits(resultRefusal(operation, this.#backend));
    const results =
      operation.problem.batch === 0
        ? this.#resultsOfNothing(operation, solver)
        : this.#backend.run(operation, storages, solver ?? this.tuning.use(operation));
    return roles.map((role, i) => this.#adopt(shapes ? shapes[i] : shapeOfRole(operation, role), results[i]));
  }

  /** Of an empty batch: sums of nothing, which are zeros, and tensors without values. No kernel runs. */
  #resultsOfNothing(operation: ConvOperation, solver: SolverChoice | undefined): TensorStorage[] {
    const { dtype, problem } = operation;
    if (solver !== undefined) this.#backend.select({ ...operation, problem: withBatch(problem, 1) }, solver);
    return resultRoles(operation).map((role) => {
      const shape = shapeOfRole(operation, role);
      return this.#backend.upload(storedValues(product(shape), dtype), shape, dtype);
    });
  }

  #adopt(shape: readonly number[], storage: TensorStorage): Tensor {
    const { lifetimes, owner } = this.#core;
    const hold = lifetimes.hold(shape, storage);
    const tensor = new Tensor(owner, hold, storage);
    lifetimes.watch(tensor, hold, this.#scope);
    this.#core.operands?.add(tensor);
    return tensor;
  }

  /** The extents of a new tensor, checked. */
  #readExtents(shape: NumberList, dtype: DType): readonly number[] {
    this.#requireLive();
    const list = listOf(shape) ?? [];
    require(list.length >= 1, () => {
      const remedy = Object.prototype.toString.call(shape) === "[object Object]" ? "; options come after it" : "";
      return `shape is ${show(shape)}; expected a list of at least one dimension${remedy}`;
    });
    const extents = readExtents("tensor", list, true);
    requireFits(tensorRefusal("tensor", extents, BYTES_PER_ELEMENT[dtype], this.#backend));
    return extents;
  }

  #requireLive(): void {
    if (this.#core.disposed) throw new TensorError("the engine was disposed; expected a live engine");
    if (this.#scope?.closed)
      throw new TensorError("the scope has ended; expected the engine itself, or a scope of its own");
  }
}

/** Throws what a device cannot hold. */
function requireFits(refusal: string | undefined): void {
  if (refusal !== undefined) throw new LimitError(refusal);
}
