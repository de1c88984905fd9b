/** ForwardEngine: what every engine does. Tensors, convolutions forward, waiting, and memory given back. */
import type { AdapterDescription, DeviceLoss } from "../backend/backend.js";
import type { KernelFault } from "../backend/kernelFault.js";
import type { WaitOptions } from "../backend/wait.js";
import { DISPOSE } from "../base/dispose.js";
import { require, show } from "../base/errors.js";
import type { NumberList } from "../base/list.js";
import type { GPUDevice } from "../base/webgpuTypes.js";
import type { Run } from "../calls/calls.js";
import { convolution } from "../calls/convolutions.js";
import type { ForwardOptions } from "../calls/options.js";
import { Scope } from "../tensor/lifetimes.js";
import type { Tensor } from "../tensor/tensor.js";
import { type DataOptions, dimensionsOf, type TensorData } from "../tensor/values.js";
import { Context } from "./context.js";
import type { ForwardCore } from "./forwardCore.js";
import { snapshotOf, type TensorOptions, uploadValues, writeValues } from "./newTensors.js";
import { waitFor } from "./waiting.js";

/** Memory in use, in bytes, and tensors not disposed of. */
export interface EngineMemory {
  /** Device memory of live tensors, of what is kept of their values in other forms, and of work not yet submitted. */
  readonly liveBytes: number;
  /** Device memory kept for later use. */
  readonly pooledBytes: number;
  readonly liveTensors: number;
}

/**
 * Runs forward passes on one device. `webgpu-conv/forward` makes one, for pages that do nothing else and transfer less
 * therefore; an {@link Engine} does all of this too.
 *
 * Operations return at once: they record work. `tensor.data()` and {@link finish} submit it and wait.
 * Bad arguments throw from the call itself, before anything reaches the device, and leave everything as it was.
 */
export class ForwardEngine implements Disposable {
  readonly #context: Context<ForwardCore>;
  readonly #run: Run;

  /** Use `createEngine`, or {@link scope}. */
  constructor(context: Context<ForwardCore>) {
    require(context instanceof Context, () => "an engine was constructed; expected await createEngine()");
    this.#context = context;
    this.#run = (call, shapes) => context.run(call, shapes);
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
   * Resolves, never rejects, when the device is lost, as WebGPU says it (also when the engine is disposed of and the device was
   * its own). On an engine that recovers (`createEngine({ recover: true })`) it says what comes after:
   * `const { restored, lost } = await (await engine.lost).recovered`; asked again after that, it is about the new device.
   */
  get lost(): Promise<DeviceLoss> {
    return this.#context.core.backend.lost;
  }

  /**
   * Kernels that do not work on this device, and were set aside: other solvers serve in their stead, or operations reject. Each has
   * a `report` to be sent to whoever maintains the driver, the browser or this library. Empty where kernels are not tried
   * (`vetKernels: false`, or the CPU backend).
   */
  get kernelFaults(): readonly KernelFault[] {
    return this.#context.core.backend.verdicts?.faults ?? [];
  }

  /**
   * Keeps a copy of tensors' values on the host, in place of an older one: after the loss of a device they come back with
   * these values. All are of one moment, that of the call. Tensors that `keep` a copy already need none, unless operations change
   * them in place. An image or a result of a compiled sequence may be among them.
   *
   * @returns resolves once the copies are there; where the device is lost before that, it rejects, and older copies stay
   * @throws ArgumentError on an engine that does not recover; TensorError if disposed; DeviceError if there are no values.
   */
  async snapshot(tensors: Tensor | readonly Tensor[]): Promise<void> {
    await this.#context.core.waits.on(snapshotOf(this.#context, tensors));
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

  /** {@link conv2d} over one spatial axis: x `[N, C, W]`, w `[out, C / groups, kw]`. */
  conv1d(x: Tensor, w: Tensor, options: ForwardOptions = {}): Tensor {
    return convolution(this.#run, 1, x, w, options);
  }

  /**
   * 2D convolution (cross-correlation, as everywhere in deep learning):
   * `y[n, o, i, j] = activation(residual + bias[o] + sum over c, k, l of w[o, c, k, l] * x[n, c, i * S + k * D - P, j * S + l * D - P])`.
   *
   * @param x input `[N, C, H, W]`, or as `options.layout` says; without N for one sample, N may be 0
   * @param w weight `[out, C / groups, kh, kw]`, or as `options.weightLayout` says
   * @returns `[N, out, OH, OW]`, or without N as x, with `OH = floor((H + padTop + padBottom - D * (kh - 1) - 1) / S) + 1`
   */
  conv2d(x: Tensor, w: Tensor, options: ForwardOptions = {}): Tensor {
    return convolution(this.#run, 2, x, w, options);
  }

  /** {@link conv2d} over three spatial axes: x `[N, C, D, H, W]`, w `[out, C / groups, kd, kh, kw]`. */
  conv3d(x: Tensor, w: Tensor, options: ForwardOptions = {}): Tensor {
    return convolution(this.#run, 3, x, w, options);
  }

  /**
   * Submits all recorded work; resolves once it is on the device's queue. What the caller submits after that comes
   * after it. Doesn't wait for results, but long work is handed over bit by bit.
   *
   * @param options `onProgress`: told how far the work is; `signal`: calls off what is not on the queue yet
   */
  async submit(options: WaitOptions = {}): Promise<void> {
    const { backend, waits } = this.#context.requireLive();
    await waitFor(waits, options, (wait) => backend.submit(wait));
  }

  /**
   * Submits all recorded work and waits for it. Rejects with a DeviceError if the device reported one.
   *
   * @param options `onProgress`: told how far the work is; `signal`: calls off what is not on the device's queue yet
   */
  async finish(options: WaitOptions = {}): Promise<void> {
    const { backend, waits } = this.#context.requireLive();
    await waitFor(waits, options, (wait) => backend.finish(wait));
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
  scope(): this;
  scope<Result>(run: (local: this) => Result): Result;
  scope<Result>(run?: (local: this) => Result): Result | this {
    this.#context.requireLive();
    require(run === undefined || typeof run === "function", () => {
      return `run is ${show(run)}; expected a function, or nothing`;
    });
    const { core, currentScope } = this.#context;
    const scope = new Scope(currentScope);
    const Own = this.constructor as new (context: Context<ForwardCore>) => this;
    const local = new Own(new Context(core, scope));
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
