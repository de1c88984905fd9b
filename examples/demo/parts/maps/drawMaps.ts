/** A picture or a video frame through the filters, onto canvases. On a GPU nothing is read back but the clock. */
import type { Engine, Tensor } from "webgpu-conv";
import { type Bank, COLOURS, EXTENT } from "./filters.js";

/** The filters on the device. */
export class MapLayer implements Disposable {
  readonly bank: Bank;
  readonly #engine: Engine;
  readonly #weight: Tensor;
  readonly #bias: Tensor;

  constructor(engine: Engine, bank: Bank) {
    this.bank = bank;
    this.#engine = engine;
    this.#weight = engine.tensor(bank.weight, [bank.names.length, COLOURS, EXTENT, EXTENT]);
    this.#bias = engine.tensor(bank.bias, [bank.names.length]);
  }

  /** Draws a map on each canvas; gives the device's milliseconds for the layer. */
  async draw(source: ImageData | HTMLVideoElement, canvases: readonly HTMLCanvasElement[]): Promise<number> {
    const engine = this.#engine;
    using x = engine.image(source);
    const made: Tensor[] = [];
    const options = { bias: this.#bias, padding: EXTENT >> 1 };
    const { milliseconds } = await engine.time(() => made.push(engine.conv2d(x, this.#weight, options)));
    const [y] = made;
    try {
      if (engine.device) await this.#drawOnDevice(engine.device, y, canvases);
      else await this.#drawOnHost(y, canvases);
    } finally {
      y.dispose();
    }
    return milliseconds;
  }

  async #drawOnDevice(device: GPUDevice, y: Tensor, canvases: readonly HTMLCanvasElement[]): Promise<void> {
    const [, , height, width] = y.shape;
    for (const [channel, canvas] of canvases.entries()) {
      const { range, signed } = this.bank.ranges[channel];
      const context = canvas.getContext("webgpu");
      if (!context) throw new Error("this browser gives no WebGPU canvas");
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      context.configure({ device, format: navigator.gpu.getPreferredCanvasFormat() });
      await this.#engine.draw(y, context, { channel, range, colors: signed ? "diverging" : "gray" });
    }
  }

  async #drawOnHost(y: Tensor, canvases: readonly HTMLCanvasElement[]): Promise<void> {
    const [, , height, width] = y.shape;
    const values = await y.data();
    for (const [channel, canvas] of canvases.entries()) {
      const { range, signed } = this.bank.ranges[channel];
      const image = new ImageData(width, height);
      for (let i = 0; i < width * height; i++) {
        const part = (values[channel * width * height + i] - range[0]) / (range[1] - range[0]);
        image.data.set(shadeOf(Math.min(1, Math.max(0, part)), signed), 4 * i);
      }
      [canvas.width, canvas.height] = [width, height];
      canvas.getContext("2d")?.putImageData(image, 0, 0);
    }
  }

  [Symbol.dispose](): void {
    this.#weight.dispose();
    this.#bias.dispose();
  }
}

/** Black to white; or blue over white to red, as the engine draws on a device. */
function shadeOf(part: number, signed: boolean): readonly number[] {
  if (!signed) return [255 * part, 255 * part, 255 * part, 255];
  const fade = 255 * (1 - Math.abs(2 * part - 1));
  return part < 0.5 ? [fade, fade, 255, 255] : [255, fade, fade, 255];
}
