/** Layers models of TensorFlow.js, written and computed: by TensorFlow's rules, in float64, sharing nothing with the library. */
import { Random, reals } from "../data.js";

/** A tensor of one sample, channels last. */
export interface Volume {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly values: Float64Array;
}

type Config = Readonly<Record<string, unknown>>;

interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array<ArrayBuffer>;
}

export interface Layer {
  readonly class_name: string;
  readonly name: string;
  readonly config: Config;
  readonly inbound_nodes: readonly unknown[];
}

/** A model while it is written: weights are drawn. */
export class KerasModel {
  readonly layers: Layer[] = [];
  readonly weights: Weight[] = [];
  readonly #random: Random;

  constructor(seed: number, inputShape: readonly (number | null)[] = [null, null, null, 3]) {
    this.#random = new Random(seed);
    this.add("InputLayer", "in", [], { batch_input_shape: inputShape });
  }

  /** @param weights shapes by what follows the layer's name */
  add(
    kind: string,
    name: string,
    inputs: readonly string[],
    config: Config = {},
    weights: Readonly<Record<string, readonly number[]>> = {},
  ): this {
    const inbound = inputs.length === 0 ? [] : [inputs.map((input) => [input, 0, 0, {}])];
    this.layers.push({ class_name: kind, name, config: { name, ...config }, inbound_nodes: inbound });
    for (const [suffix, shape] of Object.entries(weights)) {
      const count = shape.reduce((size, extent) => size * extent, 1);
      const drawn = reals(this.#random, count);
      const values = suffix.endsWith("variance") ? drawn.map((value) => value * value + 0.5) : drawn;
      this.weights.push({ name: `${name}/${suffix}`, shape, values });
    }
    return this;
  }

  weight(name: string): Float32Array {
    const found = this.weights.find((one) => one.name === name);
    if (!found) throw new Error(`there is no weight ${name}`);
    return found.values;
  }

  json(outputs: readonly string[], more: Config = {}): Record<string, unknown> {
    return {
      format: "layers-model",
      modelTopology: {
        keras_version: "2.10.0",
        model_config: {
          class_name: "Functional",
          config: {
            name: "model",
            layers: this.layers,
            input_layers: [["in", 0, 0]],
            output_layers: outputs.map((name) => [name, 0, 0]),
          },
        },
      },
      weightsManifest:
        this.weights.length === 0
          ? []
          : [
              {
                paths: ["a.bin", "b.bin"],
                weights: this.weights.map(({ name, shape }) => ({ name, shape, dtype: "float32" })),
              },
            ],
      ...more,
    };
  }

  /** All weights, as the manifest lists them. */
  bytes(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.weights.reduce((size, { values }) => size + values.byteLength, 0));
    let at = 0;
    for (const { values } of this.weights) {
      bytes.set(new Uint8Array(values.buffer), at);
      at += values.byteLength;
    }
    return bytes;
  }
}

export const textBytes = (json: unknown): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(typeof json === "string" ? json : JSON.stringify(json));

/** The two files of a manifest, divided at a byte. */
export const shardsOf =
  (bytes: Uint8Array<ArrayBuffer>, at = Math.floor(bytes.length / 2)) =>
  (path: string): Uint8Array =>
    path === "a.bin" ? bytes.slice(0, at) : bytes.slice(at);

interface Filters {
  readonly kernel: readonly [number, number];
  readonly stride?: number;
  readonly dilation?: number;
  readonly same?: boolean;
}

/** How many results there are along an axis, and how much lies before it: of "same", the odd one behind. */
function along(extent: number, kernel: number, { stride = 1, dilation = 1, same = true }: Filters): [number, number] {
  const span = dilation * (kernel - 1) + 1;
  if (!same) return [Math.floor((extent - span) / stride) + 1, 0];
  const count = Math.ceil(extent / stride);
  return [count, Math.floor(Math.max((count - 1) * stride + span - extent, 0) / 2)];
}

const makeVolume = (height: number, width: number, channels: number): Volume => ({
  height,
  width,
  channels,
  values: new Float64Array(height * width * channels),
});

export const placeIn = ({ width, channels }: Volume, row: number, column: number, channel: number): number =>
  (row * width + column) * channels + channel;

/** Calls `visit` for each pair of a result's position and an input's that a tap joins. */
function forEachTap(
  x: Volume,
  filters: Filters,
  visit: (result: readonly [number, number], position: readonly [number, number], tap: number) => void,
): readonly [number, number] {
  const { kernel, stride = 1, dilation = 1 } = filters;
  const [height, top] = along(x.height, kernel[0], filters);
  const [width, left] = along(x.width, kernel[1], filters);
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      for (let tap = 0; tap < kernel[0] * kernel[1]; tap++) {
        const row = i * stride - top + dilation * Math.floor(tap / kernel[1]);
        const column = j * stride - left + dilation * (tap % kernel[1]);
        const inside = row >= 0 && row < x.height && column >= 0 && column < x.width;
        if (inside) visit([i, j], [row, column], tap);
      }
    }
  }
  return [height, width];
}

/** @param w `[kernel height, kernel width, in / groups, out]` */
export function conv2d(x: Volume, w: ArrayLike<number>, filters: Filters, outChannels: number, groups = 1): Volume {
  const [height] = along(x.height, filters.kernel[0], filters);
  const [width] = along(x.width, filters.kernel[1], filters);
  const y = makeVolume(height, width, outChannels);
  const inputs = x.channels / groups;
  forEachTap(x, filters, ([i, j], [row, column], tap) => {
    for (let out = 0; out < outChannels; out++) {
      const first = Math.floor(out / (outChannels / groups)) * inputs;
      for (let c = 0; c < inputs; c++) {
        y.values[placeIn(y, i, j, out)] +=
          x.values[placeIn(x, row, column, first + c)] * w[(tap * inputs + c) * outChannels + out];
      }
    }
  });
  return y;
}

/** @param w `[kernel height, kernel width, in, multiplier]` */
export function depthwise2d(x: Volume, w: ArrayLike<number>, filters: Filters, multiplier: number): Volume {
  const [height] = along(x.height, filters.kernel[0], filters);
  const [width] = along(x.width, filters.kernel[1], filters);
  const y = makeVolume(height, width, x.channels * multiplier);
  forEachTap(x, filters, ([i, j], [row, column], tap) => {
    for (let c = 0; c < x.channels; c++) {
      for (let m = 0; m < multiplier; m++) {
        y.values[placeIn(y, i, j, c * multiplier + m)] +=
          x.values[placeIn(x, row, column, c)] * w[(tap * x.channels + c) * multiplier + m];
      }
    }
  });
  return y;
}

/**
 * The gradient of a convolution whose input has `stride` times the extents ("same"), or as many as the filter reaches.
 *
 * @param w `[kernel height, kernel width, out, in]`
 */
export function transposed2d(y: Volume, w: ArrayLike<number>, filters: Filters, outChannels: number): Volume {
  const { kernel, stride = 1, same = true } = filters;
  const extent = (count: number, taps: number): number =>
    same ? count * stride : (count - 1) * stride + Math.max(taps, stride);
  const x = makeVolume(extent(y.height, kernel[0]), extent(y.width, kernel[1]), outChannels);
  forEachTap(x, filters, ([i, j], [row, column], tap) => {
    if (i >= y.height || j >= y.width) return;
    for (let out = 0; out < outChannels; out++) {
      for (let c = 0; c < y.channels; c++) {
        x.values[placeIn(x, row, column, out)] +=
          y.values[placeIn(y, i, j, c)] * w[(tap * outChannels + out) * y.channels + c];
      }
    }
  });
  return x;
}

/** Windows of the input alone count. */
export function pool2d(x: Volume, filters: Filters, how: "max" | "average"): Volume {
  const [height] = along(x.height, filters.kernel[0], filters);
  const [width] = along(x.width, filters.kernel[1], filters);
  const y = makeVolume(height, width, x.channels);
  if (how === "max") y.values.fill(-Infinity);
  const counts = new Float64Array(height * width);
  forEachTap(x, filters, ([i, j], [row, column]) => {
    counts[i * width + j]++;
    for (let c = 0; c < x.channels; c++) {
      const [at, value] = [placeIn(y, i, j, c), x.values[placeIn(x, row, column, c)]];
      y.values[at] = how === "max" ? Math.max(y.values[at], value) : y.values[at] + value;
    }
  });
  if (how === "average") y.values.forEach((sum, at) => (y.values[at] = sum / counts[Math.floor(at / x.channels)]));
  return y;
}

/** Each value by a function of it and its channel. */
export const mapped = (x: Volume, of: (value: number, channel: number) => number): Volume => ({
  ...x,
  values: x.values.map((value, at) => of(value, at % x.channels)),
});

export const added = (a: Volume, b: Volume): Volume => ({
  ...a,
  values: a.values.map((value, at) => value + b.values[at]),
});

export function concatenated(volumes: readonly Volume[]): Volume {
  const [{ height, width }] = volumes;
  const y = makeVolume(
    height,
    width,
    volumes.reduce((sum, { channels }) => sum + channels, 0),
  );
  let before = 0;
  for (const volume of volumes) {
    for (let position = 0; position < height * width; position++)
      for (let c = 0; c < volume.channels; c++)
        y.values[position * y.channels + before + c] = volume.values[position * volume.channels + c];
    before += volume.channels;
  }
  return y;
}

/** Each value `scale` times along both axes. */
export function repeated(x: Volume, scale: number): Volume {
  const y = makeVolume(x.height * scale, x.width * scale, x.channels);
  for (let i = 0; i < y.height; i++)
    for (let j = 0; j < y.width; j++)
      for (let c = 0; c < x.channels; c++)
        y.values[placeIn(y, i, j, c)] = x.values[placeIn(x, Math.floor(i / scale), Math.floor(j / scale), c)];
  return y;
}

export function randomVolume(seed: number, height: number, width: number, channels: number): Volume {
  const x = makeVolume(height, width, channels);
  return { ...x, values: Float64Array.from(reals(new Random(seed), x.values.length)) };
}
