/** Engine: what a caller holds. Tensors, operations, and the device behind them. */
import type { AdapterDescription, SpecialValues, Timing } from "../backend/backend.js";
import { type DrawOptions, type DrawTarget, readPlanes } from "../backend/draw.js";
import { DISPOSE } from "../base/dispose.js";
import { require, show } from "../base/errors.js";
import type { NumberList } from "../base/list.js";
import type { GPUBuffer, GPUCommandEncoder, GPUDevice } from "../base/webgpuTypes.js";
import type { ExplainOptions } from "../calls/describeOperation.js";
import type { ExplainShapes, Explanation } from "../calls/explain.js";
import type { OperationName } from "../problem/operationNames.js";
import type { ImageOptions, ImageSource } from "../problem/pixels.js";
import { Scope } from "../tensor/lifetimes.js";
import type { Tensor } from "../tensor/tensor.js";
import { type DataOptions, dimensionsOf, type TensorData } from "../tensor/values.js";
import type { Tuning } from "../tuner/tuning.js";
import { Context } from "./context.js";
import { explainOperation } from "./explainOperation.js";
import {
  type TensorOptions,
  uploadImages,
  uploadValues,
  wrapBuffer,
  type WrapOptions,
  writeValues,
} from "./newTensors.js";
import { Operations } from "./operations.js";
import { type Compiled, compileSequence, type Encoded, encodeRecording, Recording } from "./recording.js";

/** Memory in use, in bytes, and tensors not disposed of. */
export interface EngineMemory {
  /** Device memory of live tensors, of what is kept of their values in other forms, and of work not yet submitted. */
  readonly liveBytes: number;
  /** Device memory kept for later use. */
  readonly pooledBytes: number;
  readonly liveTensors: number;
}

/**
 * Runs convolutions on one device.
 *
 * Operations return at once: they record work. `tensor.data()` and {@link finish} submit it and wait.
 * Bad arguments throw from the call itself, before anything reaches the device, and leave everything as it was.
 */
export class Engine extends Operations implements Disposable {
  /** Choices of solvers that were measured on this device. */
  readonly tuning: Tuning;
  readonly #context: Context;

  /** Use `createEngine`, or {@link scope}. */
  constructor(context: Context) {
    super((call, shapes) => context.run(call, shapes));
    require(context instanceof Context, () => "an engine was constructed; expected await createEngine()");
    this.#context = context;
    this.tuning = context.core.tuning;
  }

  /** The device, in words and as data. */
  get adapter(): AdapterDescription {
    return this.#context.core.backend.adapter;
  }

  /** The WebGPU device that the engine runs on; undefined with the CPU backend. Not to be destroyed. */
  get device(): GPUDevice | undefined {
    return this.#context.core.backend.device;
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
    return uploadValues(this.#context, data, shape, options);
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
    await this.#context.core.waits.on(writeValues(this.#context, tensor, values, options));
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
    return uploadImages(this.#context, source, options);
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
    return wrapBuffer(this.#context, buffer, shape, options);
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
    return explainOperation(this.#context.requireLive(), name, shapes, options);
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
    return await encodeRecording(this.#context.requireLive(), encoder, record);
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
    return await compileSequence(this.#context.requireLive(), record);
  }

  /**
   * Counts infinities and NaNs of a tensor on the device: overflow, above all in float16, is never silent to who asks.
   *
   * @throws TensorError if disposed or another engine's; DeviceError if the values could not be computed.
   */
  async check(tensor: Tensor): Promise<SpecialValues> {
    const { backend, waits } = this.#context.requireLive();
    return await waits.on(backend.check(this.#context.storageOf(tensor)));
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
    const core = this.#context.requireLive();
    const storage = this.#context.storageOf(tensor);
    const planes = readPlanes(tensor.shape, options, tensor.pixels !== undefined);
    await core.waits.on(core.requireGpu("draw").draw(storage, planes, target));
  }

  /**
   * Submits all recorded work; resolves once it is on the device's queue. What the caller submits after that comes
   * after it. Doesn't wait for results.
   */
  async submit(): Promise<void> {
    const { backend, waits } = this.#context.requireLive();
    await waits.on(backend.submit());
  }

  /**
   * Submits all recorded work and waits for it, and for tuning on first use. Rejects with a DeviceError if the device
   * reported one.
   */
  async finish(): Promise<void> {
    const { backend, waits } = this.#context.requireLive();
    await waits.on(backend.finish().then(() => this.tuning.settled()));
  }

  /**
   * Measures what `record` records, alone, on the device's own clock where it has timestamps. Earlier work is
   * finished first and kernels are compiled before the clock starts only if they ran before: warm up.
   */
  async time(record: () => void): Promise<Timing> {
    const { backend, waits, lifetimes } = this.#context.requireLive();
    const recording = new Recording(record, lifetimes);
    return await waits.on(backend.time(recording.call));
  }

  memory(): EngineMemory {
    const { backend, lifetimes } = this.#context.core;
    return { ...backend.memory(), liveTensors: lifetimes.liveTensors };
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
    this.#context.requireLive();
    require(run === undefined || typeof run === "function", () => {
      return `run is ${show(run)}; expected a function, or nothing`;
    });
    const { core, currentScope } = this.#context;
    const scope = new Scope(currentScope);
    const local = new Engine(new Context(core, scope));
    return run ? core.lifetimes.runIn(scope, () => run(local)) : local;
  }

  /**
   * Takes tensors out of the current scope, which no longer disposes of them. Without a scope this does nothing.
   *
   * @param value a tensor, or what holds tensors: arrays, maps, sets and objects
   * @returns it
   */
  keep<Value>(value: Value): Value {
    const { core, currentScope } = this.#context;
    if (currentScope) core.lifetimes.keep(currentScope, value);
    return value;
  }

  /**
   * Disposes of every tensor and of the device, if the engine made it; of a {@link scope}, of what was made in it and not
   * kept. An engine at any moment, in a recording too: whatever waits for something of it then rejects with a DeviceError at
   * once. Twice is harmless.
   */
  dispose(): void {
    const { core, scope } = this.#context;
    if (scope) core.lifetimes.close(scope);
    else core.dispose();
  }

  [DISPOSE](): void {
    this.dispose();
  }
}
