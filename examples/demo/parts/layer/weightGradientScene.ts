/** The gradient of the weights as a scene: the input under dy as the filter, with stride and dilation swapped. */
import type { Engine } from "webgpu-conv";
import { computeInTerms, identity } from "./compute.js";
import { paddedInput } from "./forwardScene.js";
import type { Layer } from "./numbers.js";
import { checkOf, placeAt, type Scene, type Volume } from "./scene.js";
import { sidesOfX } from "./sides.js";

export async function weightGradientScene(engine: Engine, layer: Layer): Promise<Scene> {
  const { W, C, F, S, P, D, K, mode, O } = layer;
  const options = { stride: S, padding: P, dilation: D, paddingMode: mode };
  // What the forward pass' windows never reached has no part in the gradient.
  const { begin, end } = sidesOfX(layer);
  const sides = [begin, end] as const;
  using x = engine.tensor(layer.x, [1, C, W, W]);
  using slices = engine.tensor(layer.x, [C, 1, W, W]);
  using dy = engine.tensor(layer.dy, [1, K, O, O]);
  using one = identity(engine, 1);
  using source = engine.conv2d(slices, one, { padding: [sides, sides], paddingMode: mode });
  using dw = engine.conv2dWeightGradient(dy, x, [K, C, F, F], options);
  using db = engine.conv2dBiasGradient(dy);
  const [terms, gradient, biasGradient] = await Promise.all([
    computeInTerms(engine, { source, filters: layer.dy, filtersShape: [K, 1, O, O], stride: D, dilation: S }),
    dw.data(),
    db.data(),
  ]);

  const positions = O * O;
  const filters = Array.from({ length: K }, (_, k): Volume => {
    return {
      titles: [`dy[${String(k)}]`],
      height: O,
      width: O,
      values: layer.dy.slice(k * positions, (k + 1) * positions),
      originOf: (_slice, row, column) => ({ name: "dy", place: [k, row, column] }),
    };
  });
  // The engine's order is [C, K, F, F], a sample a slice; the gradient's is [K, C, F, F].
  const values = Float32Array.from({ length: gradient.length }, (_, i) => {
    const [slice, tap] = [Math.floor(i / (F * F)), i % (F * F)];
    const [k, c] = [Math.floor(slice / C), slice % C];
    return terms.result[(c * K + k) * F * F + tap];
  });
  const titles = Array.from({ length: K * C }, (_, i) => `dw${String(Math.floor(i / C))}[${String(i % C)}]`);
  const scene: Scene = {
    source: paddedInput(layer, source.shape[3], terms.source),
    filters,
    result: { titles, height: F, width: F, values, originOf: () => undefined },
    window: { height: O, width: O, dilation: S, stride: D },
    resultColumns: K,
    biases: undefined,
    extra: {
      volume: { titles: ["db"], height: 1, width: K, values: biasGradient, originOf: () => undefined },
      text: "The gradient of each bias is the sum of its dy.",
    },
    check: checkOf("engine.conv2dWeightGradient", gradient, values),
    sumsAt: (index) => {
      const { filter, row, column, sourceSlices } = placeAt(scene, index);
      return terms.sumsAt(sourceSlices[0], filter, row, column);
    },
  };
  return scene;
}
