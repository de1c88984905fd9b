/** Every number of a scene, from the engine: results, sums by slice, and single products are convolutions themselves. */
import type { Engine, Tensor } from "webgpu-conv";
import type { SliceSum, Term } from "./scene.js";

/** A convolution that is to be seen in all its terms. */
export interface Correlation {
  /** `[N, C, H, W]`, padded already. */
  readonly source: Tensor;
  /** `[K, C, h, w]`, row-major. */
  readonly filters: Float32Array;
  readonly filtersShape: readonly [K: number, C: number, h: number, w: number];
  readonly stride: number;
  readonly dilation: number;
  readonly biases?: Float32Array;
}

export interface InTerms {
  /** `[N, K, OH, OW]` */
  readonly result: Float32Array;
  readonly outputExtent: number;
  /** The source's own values. */
  readonly source: Float32Array;
  /** What is summed for filter k at a row and column of sample n, a source slice each. */
  sumsAt(this: void, n: number, k: number, row: number, column: number): readonly SliceSum[];
}

const product = (extents: readonly number[]): number => extents.reduce((all, extent) => all * extent, 1);

/** Filters that leave each channel as it is: what is left of such a convolution is its padding. */
export const identity = (engine: Engine, channels: number): Tensor =>
  engine.tensor(new Float32Array(channels).fill(1), [channels, 1, 1, 1]);

/** The same filters for a depthwise convolution: `[C * K, 1, h, w]`, channel by channel. */
function depthwise(filters: Float32Array, [K, C, h, w]: Correlation["filtersShape"]): Float32Array {
  const taps = h * w;
  return Float32Array.from({ length: K * C * taps }, (_, i) => {
    const [row, tap] = [Math.floor(i / taps), i % taps];
    const [c, k] = [Math.floor(row / K), row % K];
    return filters[(k * C + c) * taps + tap];
  });
}

/** Each tap as a filter of its own, zero elsewhere: `[C * K * taps, 1, h, w]`. */
function tapByTap(separate: Float32Array, taps: number): Float32Array {
  const single = new Float32Array(separate.length * taps);
  for (const [i, value] of separate.entries()) single[i * taps + (i % taps)] = value;
  return single;
}

export async function computeInTerms(engine: Engine, correlation: Correlation): Promise<InTerms> {
  const { source, filters, filtersShape, stride, dilation, biases } = correlation;
  const [K, C, h, w] = filtersShape;
  const taps = h * w;
  const separate = depthwise(filters, filtersShape);
  using all = engine.tensor(filters, filtersShape);
  using slices = engine.tensor(separate, [C * K, 1, h, w]);
  using single = engine.tensor(tapByTap(separate, taps), [C * K * taps, 1, h, w]);
  using bias = engine.tensor(biases ?? new Float32Array(K), [K]);
  using y = engine.conv2d(source, all, { stride, dilation, bias });
  using sums = engine.conv2d(source, slices, { stride, dilation, groups: C });
  using products = engine.conv2d(source, single, { stride, dilation, groups: C });
  const outputExtent = y.shape[3];
  const [result, bySlice, byTap, values] = await Promise.all([y.data(), sums.data(), products.data(), source.data()]);

  const [, , height, width] = source.shape;
  const positions = product(y.shape.slice(2));
  const sumsAt = (n: number, k: number, row: number, column: number): SliceSum[] =>
    Array.from({ length: C }, (_, c) => {
      const position = row * outputExtent + column;
      const separateRow = (n * C + c) * K + k;
      const terms = Array.from({ length: taps }, (_, tap): Term => {
        const at = [row * stride + Math.floor(tap / w) * dilation, column * stride + (tap % w) * dilation];
        return {
          source: values[((n * C + c) * height + at[0]) * width + at[1]],
          weight: separate[(c * K + k) * taps + tap],
          product: byTap[(separateRow * taps + tap) * positions + position],
        };
      });
      return { sourceSlice: n * C + c, filterSlice: c, terms, sum: bySlice[separateRow * positions + position] };
    });
  return { result, outputExtent, source: values, sumsAt };
}
