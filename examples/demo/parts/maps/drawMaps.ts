/** A picture or a video frame through the filters, onto canvases. On a GPU nothing is read back but the clock. */
import type { Engine, Tensor } from "webgpu-conv";
import { measure } from "../../../benchmark/measure.js";
import { deviceSamples } from "../deviceSamples.js";
import { type Bank, COLOURS, EXTENT } from "./filters.js";
import { type LayerTime, meanTime } from "./pace.js";

/** Of a picture's layer. */
const SAMPLES = 3;
/** Frames that the device may be behind the page. Firefox looks ten times a second what is done. */
const MOST_BEHIND = 3;
/** Of the time that frames take, the part that may go into timing some: it waits for the device, and Firefox tells late. */
const TIMING_SHARE = 0.1;

/** The filters on the device. */
export class MapLayer implements Disposable {
  readonly bank: Bank;
  readonly #engine: Engine;
  readonly #weight: Tensor;
  readonly #bias: Tensor;
  /** Frames that the device has not told to be done. */
  readonly #behind: Promise<undefined>[] = [];
  /** When a frame may be timed again, by `performance.now()`. */
  #timedFrom = 0;

  constructor(engine: Engine, bank: Bank) {
    this.bank = bank;
    this.#engine = engine;
    this.#weight = engine.tensor(bank.weight, [bank.names.length, COLOURS, EXTENT, EXTENT]);
    this.#bias = engine.tensor(bank.bias, [bank.names.length]);
  }

  /** Draws a map on each canvas, as long as they are wanted; gives the layer's time. */
  async draw(
    source: ImageData | HTMLVideoElement,
    canvases: readonly HTMLCanvasElement[],
    isWanted: () => boolean,
  ): Promise<LayerTime> {
    const { device } = this.#engine;
    using x = this.#engine.image(source);
    return device
      ? await this.#drawOnDevice(device, x, canvases, isWanted)
      : await this.#drawOnHost(x, canvases, isWanted);
  }

  /** Draws a frame of many; gives the layer's time for some of them. */
  async drawFrame(
    video: HTMLVideoElement,
    canvases: readonly HTMLCanvasElement[],
    isWanted: () => boolean,
  ): Promise<LayerTime | undefined> {
    const { device } = this.#engine;
    const start = performance.now();
    if (!device || start >= this.#timedFrom) {
      const time = await this.draw(video, canvases, isWanted);
      const end = performance.now();
      this.#timedFrom = end + (end - start) * (1 / TIMING_SHARE - 1);
      return time;
    }
    using x = this.#engine.image(video);
    using y = this.#layer(x, this.#weight, this.#bias);
    await this.#show(device, y, canvases, isWanted);
    // A device that is lost is told of by what is asked of it next.
    this.#behind.push(device.queue.onSubmittedWorkDone().catch(() => undefined));
    if (this.#behind.length > MOST_BEHIND) await this.#behind.shift();
    return undefined;
  }

  /** The layer's time on a device, in samples that its clock can tell. */
  async time(source: ImageData, between: () => Promise<void>): Promise<LayerTime> {
    using x = this.#engine.image(source);
    const clocks: LayerTime["clock"][] = [];
    const work = async (repeats: number): Promise<number> => {
      const { milliseconds, clock } = await this.#engine.time(() => {
        for (let i = 0; i < repeats; i++) this.#layer(x, this.#weight, this.#bias).dispose();
      });
      clocks.push(clock);
      return milliseconds;
    };
    const heldBytes = 4 * this.bank.names.length * source.width * source.height;
    const options = { ...deviceSamples(heldBytes), samples: SAMPLES, between };
    const { medianMs, samplesMs } = await measure(work, options);
    const onWall = clocks.slice(-samplesMs.length).includes("wall-clock");
    return { milliseconds: medianMs, clock: onWall ? "wall-clock" : "timestamp" };
  }

  #layer(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
    return this.#engine.conv2d(x, weight, { bias, padding: EXTENT >> 1 });
  }

  /** Computes some of the filters' maps, and hands them on. */
  async #compute(x: Tensor, weight: Tensor, bias: Tensor, show: (y: Tensor) => Promise<void>): Promise<LayerTime> {
    const made: Tensor[] = [];
    const time = await this.#engine.time(() => made.push(this.#layer(x, weight, bias)));
    using y = made[0];
    await show(y);
    return time;
  }

  async #drawOnDevice(
    device: GPUDevice,
    x: Tensor,
    canvases: readonly HTMLCanvasElement[],
    isWanted: () => boolean,
  ): Promise<LayerTime> {
    const show = async (y: Tensor): Promise<void> => await this.#show(device, y, canvases, isWanted);
    return await this.#compute(x, this.#weight, this.#bias, show);
  }

  /** Paints each map onto its canvas, without reading it back. */
  async #show(
    device: GPUDevice,
    y: Tensor,
    canvases: readonly HTMLCanvasElement[],
    isWanted: () => boolean,
  ): Promise<void> {
    const [, , height, width] = y.shape;
    for (const [channel, canvas] of canvases.entries()) {
      // Others may be drawn there by now.
      if (!isWanted()) return;
      const { range, signed } = this.bank.ranges[channel];
      const context = canvas.getContext("webgpu");
      if (!context) throw new Error("this browser gives no WebGPU canvas");
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      context.configure({ device, format: navigator.gpu.getPreferredCanvasFormat() });
      await this.#engine.draw(y, context, { channel, range, colors: signed ? "diverging" : "gray" });
    }
  }

  /** One filter after the other, computed and then painted, so that the page may react in between. */
  async #drawOnHost(x: Tensor, canvases: readonly HTMLCanvasElement[], isWanted: () => boolean): Promise<LayerTime> {
    const times: LayerTime[] = [];
    for (const [channel, canvas] of canvases.entries()) {
      if (!isWanted()) break;
      const taps = COLOURS * EXTENT * EXTENT;
      const own = this.bank.weight.subarray(channel * taps, (channel + 1) * taps);
      using weight = this.#engine.tensor(own, [1, COLOURS, EXTENT, EXTENT]);
      using bias = this.#engine.tensor(this.bank.bias.subarray(channel, channel + 1), [1]);
      const show = async (y: Tensor): Promise<void> => {
        await pause();
        const values = await y.data();
        if (isWanted()) this.#paint(values, y, channel, canvas);
      };
      times.push(await this.#compute(x, weight, bias, show));
      await pause();
    }
    const { milliseconds, clock } = meanTime(times);
    return { milliseconds: milliseconds * times.length, clock };
  }

  #paint(values: Float32Array, { shape }: Tensor, channel: number, canvas: HTMLCanvasElement): void {
    const [, , height, width] = shape;
    const { range, signed } = this.bank.ranges[channel];
    const image = new ImageData(width, height);
    for (const [i, value] of values.entries()) {
      const part = (value - range[0]) / (range[1] - range[0]);
      image.data.set(shadeOf(Math.min(1, Math.max(0, part)), signed), 4 * i);
    }
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d")?.putImageData(image, 0, 0);
  }

  [Symbol.dispose](): void {
    this.#weight.dispose();
    this.#bias.dispose();
  }
}

/** Lets the page draw and listen. */
const pause = async (): Promise<void> => await new Promise((resolve) => setTimeout(resolve));

/** Black to white; or blue over white to red, as the engine draws on a device. */
function shadeOf(part: number, signed: boolean): readonly number[] {
  if (!signed) return [255 * part, 255 * part, 255 * part, 255];
  const fade = 255 * (1 - Math.abs(2 * part - 1));
  return part < 0.5 ? [fade, fade, 255, 255] : [255, fade, fade, 255];
}
