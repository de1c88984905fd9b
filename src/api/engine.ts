/** Engine: what a caller holds. Every operation, and what else there is to do with tensors and with the device behind them. */
import type { SpecialValues, Timing } from "../backend/backend.js";
import { type DrawOptions, type DrawTarget, readPlanes } from "../backend/draw.js";
import type { WaitOptions } from "../backend/wait.js";
import type { NumberList } from "../base/list.js";
import type { GPUBuffer, GPUCommandEncoder } from "../base/webgpuTypes.js";
import type { ExplainOptions } from "../calls/describeOperation.js";
import type { ExplainShapes, Explanation } from "../calls/explain.js";
import type { OperationName } from "../problem/operationNames.js";
import type { ImageOptions } from "../problem/images.js";
import type { ImageSource } from "../problem/pixels.js";
import type { Tensor } from "../tensor/tensor.js";
import type { TiledResult } from "../tiled/convolveTiled.js";
import type { TiledLayer } from "../tiled/layers.js";
import type { TiledOptions, TiledSource } from "../tiled/options.js";
import type { Tuning } from "../tuner/tuning.js";
import type { EngineCore } from "./engineCore.js";
import type { Context } from "./context.js";
import { explainOperation } from "./explainOperation.js";
import { uploadImages, wrapBuffer, type WrapOptions } from "./borrowedTensors.js";
import { Operations } from "./operations.js";
import { runTiled } from "./tiled.js";
import { type Compiled, compileSequence, type Encoded, encodeRecording, Recording } from "./recording.js";
import { waitFor } from "./waiting.js";

/**
 * Runs convolutions on one device, forward and backward.
 *
 * Operations return at once: they record work. `tensor.data()` and {@link finish} submit it and wait.
 * Bad arguments throw from the call itself, before anything reaches the device, and leave everything as it was.
 */
export class Engine extends Operations {
  /** Choices of solvers that were measured on this device. */
  readonly tuning: Tuning;
  readonly #context: Context;

  /** Use `createEngine`, or {@link scope}. */
  constructor(context: Context) {
    super(context);
    this.#context = context;
    this.tuning = context.core.tuning;
  }

  /** What an engine works with; undefined for any other value. For the library's own use. */
  static coreOf(value: unknown): EngineCore | undefined {
    return typeof value === "object" && value !== null && #context in value ? value.#context.requireLive() : undefined;
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
   * A stack of layers over an image or a volume that is larger than the device, or than memory: it comes and goes by tiles. Each tile
   * reads what its results need of the source (the receptive field). Results have the same bits as the layers one after the other,
   * wherever these would fit: tiles take the solvers that the whole would get.
   *
   * @param source its shape, and a function that gives a region's values; or all values
   * @param layers each the options of a convolution with its `weight`, first to last; circular padding keeps an axis whole
   * @param options `sink` takes regions of the result, `maxBytes` bounds what the call takes, `signal` ends it early
   * @returns the result's shape, and its values where there is no sink
   * @throws ArgumentError before anything is read, or where source or sink fail; LimitError where no tile is within `maxBytes`, with
   *   the bytes that it takes; DeviceError if the device is lost. What it took is given back by then.
   */
  async convolveTiled(
    source: TiledSource,
    layers: readonly TiledLayer[],
    options: TiledOptions = {},
  ): Promise<TiledResult> {
    return await runTiled(this.#context, source, layers, options);
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
   * Submits all recorded work and waits for it, and for tuning on first use. Rejects with a DeviceError if the device
   * reported one.
   *
   * @param options `onProgress`: told how far the work is; `signal`: calls off what is not on the device's queue yet
   */
  override async finish(options: WaitOptions = {}): Promise<void> {
    const { backend, waits } = this.#context.requireLive();
    await waitFor(waits, options, (wait) => backend.finish(wait).then(() => this.tuning.settled()));
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
}
