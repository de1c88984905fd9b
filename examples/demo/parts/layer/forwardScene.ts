/** The forward pass as a scene. */
import type { Engine } from "webgpu-conv";
import { computeInTerms, identity } from "./compute.js";
import type { Layer } from "./numbers.js";
import { placeAt, type Scene, type Volume } from "./scene.js";

const titles = (symbol: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${symbol}[${String(i)}]`);

/** The input with its padding, whose cells are none of the layer's own. */
export function paddedInput({ W, C, P }: Layer, extent: number, values: Float32Array): Volume {
  const isInside = (at: number): boolean => at >= P && at < P + W;
  return {
    titles: titles("x", C),
    height: extent,
    width: extent,
    values,
    originOf: (slice, row, column) =>
      isInside(row) && isInside(column) ? { name: "x", place: [slice, row - P, column - P] } : undefined,
  };
}

export async function forwardScene(engine: Engine, layer: Layer): Promise<Scene> {
  const { W, C, F, S, P, D, K, mode, O } = layer;
  using x = engine.tensor(layer.x, [1, C, W, W]);
  using w = engine.tensor(layer.w, [K, C, F, F]);
  using bias = engine.tensor(layer.b, [K]);
  using one = identity(engine, C);
  using y = engine.conv2d(x, w, { bias, stride: S, padding: P, dilation: D, paddingMode: mode });
  using padded = engine.conv2d(x, one, { groups: C, padding: P, paddingMode: mode });
  const [values, terms] = await Promise.all([
    y.data(),
    computeInTerms(engine, {
      source: padded,
      filters: layer.w,
      filtersShape: [K, C, F, F],
      stride: S,
      dilation: D,
      biases: layer.b,
    }),
  ]);

  const filters = Array.from({ length: K }, (_, k): Volume => {
    return {
      titles: titles(`w${String(k)}`, C),
      height: F,
      width: F,
      values: layer.w.slice(k * C * F * F, (k + 1) * C * F * F),
      originOf: (slice, row, column) => ({ name: "w", place: [k, slice, row, column] }),
    };
  });
  const scene: Scene = {
    source: paddedInput(layer, W + 2 * P, terms.source),
    filters,
    result: { titles: titles("y", K), height: O, width: O, values, originOf: () => undefined },
    window: { height: F, width: F, dilation: D, stride: S },
    resultColumns: 1,
    biases: layer.b,
    extra: undefined,
    check: undefined,
    sumsAt: (index) => {
      const { filter, row, column } = placeAt(scene, index);
      return terms.sumsAt(0, filter, row, column);
    },
  };
  return scene;
}
