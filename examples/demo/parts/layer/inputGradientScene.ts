/** The gradient of the input as a scene: dy, spread by the stride, under the filters flipped and transposed. */
import type { Engine, Tensor } from "webgpu-conv";
import { computeInTerms, identity } from "./compute.js";
import type { Layer } from "./numbers.js";
import { checkOf, placeAt, type Scene, type Volume } from "./scene.js";
import { folds, sidesOfDy } from "./sides.js";

/** `[C, K, F, F]` from `[K, C, F, F]`: turned by half a turn, the roles of input and output swapped. */
export function flipped({ w, K, C, F }: Layer): Float32Array {
  const taps = F * F;
  return Float32Array.from({ length: w.length }, (_, i) => {
    const [slice, tap] = [Math.floor(i / taps), i % taps];
    const [c, k] = [Math.floor(slice / K), slice % K];
    return w[(k * C + c) * taps + (taps - 1 - tap)];
  });
}

/** dy with S - 1 zeros between its elements, in the middle of so many zeros that each window finds all that it reached. */
function spread(engine: Engine, dy: Tensor, { K, S }: Layer, begin: number, end: number): Tensor {
  using one = identity(engine, K);
  using between = engine.convTranspose2d(dy, one, { groups: K, stride: S });
  return engine.conv2d(between, one, {
    groups: K,
    padding: [
      [begin, end],
      [begin, end],
    ],
  });
}

export async function inputGradientScene(engine: Engine, layer: Layer): Promise<Scene> {
  const { W, C, F, S, P, D, K, mode, O } = layer;
  // A copied element takes the gradient of its copies: the padded input's is computed, and folded back.
  const isFolded = folds(layer);
  const { begin, end } = sidesOfDy(layer);
  const extent = W + (isFolded ? 2 * P : 0);
  const options = { stride: S, padding: P, dilation: D, paddingMode: mode };
  using dy = engine.tensor(layer.dy, [1, K, O, O]);
  using w = engine.tensor(layer.w, [K, C, F, F]);
  using source = spread(engine, dy, layer, begin, end);
  using dx = engine.conv2dInputGradient(dy, w, [1, C, W, W], options);
  const filters = flipped(layer);
  const [terms, gradient] = await Promise.all([
    computeInTerms(engine, { source, filters, filtersShape: [C, K, F, F], stride: 1, dilation: D }),
    dx.data(),
  ]);
  const folded = isFolded ? await fold(engine, terms.result, layer) : terms.result;

  const volumes = Array.from({ length: C }, (_, c): Volume => {
    return {
      titles: Array.from({ length: K }, (_, k) => `w${String(k)}[${String(c)}] flipped`),
      height: F,
      width: F,
      values: filters.slice(c * K * F * F, (c + 1) * K * F * F),
      originOf: (slice, row, column) => ({ name: "w", place: [slice, c, F - 1 - row, F - 1 - column] }),
    };
  });
  const scene: Scene = {
    source: spreadVolume(layer, source.shape[3], begin, terms.source),
    filters: volumes,
    result: volumeOf(isFolded ? "dx padded" : "dx", C, extent, terms.result),
    window: { height: F, width: F, dilation: D, stride: 1 },
    resultColumns: 1,
    biases: undefined,
    extra: isFolded
      ? {
          volume: volumeOf("dx", C, W, gradient),
          text: `What flowed to a copy in the padding is added to the element that it copies ("${mode}"): the gradient of the input itself.`,
        }
      : undefined,
    check: checkOf("engine.conv2dInputGradient", gradient, folded),
    sumsAt: (index) => {
      const { filter, row, column } = placeAt(scene, index);
      return terms.sumsAt(0, filter, row, column);
    },
  };
  return scene;
}

/** What the copies in the padding took, added to the elements that they copy: the padding's own gradient. */
async function fold(engine: Engine, padded: Float32Array, { W, C, P, mode }: Layer): Promise<Float32Array> {
  const extent = W + 2 * P;
  using gradient = engine.tensor(padded, [1, C, extent, extent]);
  using one = identity(engine, C);
  using dx = engine.conv2dInputGradient(gradient, one, [1, C, W, W], { groups: C, padding: P, paddingMode: mode });
  return await dx.data();
}

const volumeOf = (symbol: string, count: number, extent: number, values: Float32Array): Volume => ({
  titles: Array.from({ length: count }, (_, i) => `${symbol}[${String(i)}]`),
  height: extent,
  width: extent,
  values,
  originOf: () => undefined,
});

function spreadVolume({ K, S, O }: Layer, extent: number, begin: number, values: Float32Array): Volume {
  const elementAt = (at: number): number | undefined => {
    const element = (at - begin) / S;
    return Number.isInteger(element) && element >= 0 && element < O ? element : undefined;
  };
  return {
    ...volumeOf("dy", K, extent, values),
    originOf: (slice, row, column) => {
      const [i, j] = [elementAt(row), elementAt(column)];
      return i === undefined || j === undefined ? undefined : { name: "dy", place: [slice, i, j] };
    },
  };
}
