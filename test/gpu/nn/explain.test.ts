/** What a network is made of, as the textbook counts it, without computing anything. */
import {
  add,
  avgPool2d,
  concat,
  defineModule,
  disposeModule,
  explainNetwork,
  globalAveragePool,
  globalMaxPool,
  groupNorm,
  instanceNorm,
  interpolate,
  layerNorm,
  layers,
  maxPool2d,
  mean,
  type Module,
  pixelShuffle,
  pixelUnshuffle,
  Random,
  setTraining,
  softmax,
} from "webgpu-conv/nn";
import type { Engine, Tensor } from "webgpu-conv";
import { describe, expect } from "vitest";
import { gpuTest } from "../../support/gpuTest.js";

const CHANNELS = 8;

/** Filters of F x F on as many channels, one layer after the other. */
const stack = (engine: Engine, kernels: readonly number[]): Module => {
  const init = { engine, random: new Random(1) };
  return layers.sequential(
    kernels.map((kernel) =>
      layers.conv2d(init, CHANNELS, CHANNELS, { kernel, padding: (kernel - 1) / 2, bias: false }),
    ),
  );
};

describe("a network's explanation", () => {
  gpuTest("counts three 3x3 and one 7x7 as the textbook does: 27 and 49 C^2, seen from 7 x 7", ({ bare: engine }) => {
    const three = stack(engine, [3, 3, 3]);
    const one = stack(engine, [7]);
    const explained = [three, one].map((module) => explainNetwork(module, [1, CHANNELS, 16, 16]));
    expect(explained.map(({ weights }) => weights)).toEqual([27 * CHANNELS ** 2, 49 * CHANNELS ** 2]);
    expect(explained.map(({ multiplyAdds }) => multiplyAdds)).toEqual(
      [27, 49].map((taps) => taps * CHANNELS ** 2 * 256),
    );
    expect(explained[0].layers.map(({ receptiveField }) => receptiveField)).toEqual([3, 5, 7].map((f) => [1, f, f]));
    expect(explained[1].layers.map(({ receptiveField }) => receptiveField)).toEqual([[1, 7, 7]]);
    expect(explained[0].layers.map(({ path }) => path)).toEqual(["0", "1", "2"]);
    expect(explained[0].dispatches).toBeGreaterThanOrEqual(3);
    disposeModule(three);
    disposeModule(one);
  });

  gpuTest("follows strides, dilation, transposed layers and branches", ({ bare: engine }) => {
    const init = { engine, random: new Random(1) };
    const down = layers.conv2d(init, 2, 4, { kernel: 3, stride: 2, padding: 1 });
    const context = layers.conv2d(init, 4, 4, { kernel: 3, dilation: 2, padding: 2 });
    const up = layers.convTranspose2d(init, 8, 2, { kernel: 2, stride: 2 });
    const net = defineModule({
      kind: "network",
      children: { down, context, up },
      forward(x) {
        const small = down.forward(x);
        return up.forward(concat([small, context.forward(small)]));
      },
    });
    const { layers: found, bytes } = explainNetwork(net, [2, 2, 12, 10]);
    expect(found.map(({ path, kind, shape, receptiveField }) => [path, kind, shape, receptiveField])).toEqual([
      ["down", "conv2d 3x3, stride 2, padding 1", [2, 4, 6, 5], [1, 3, 3]],
      // 3 + (5 - 1) * 2
      ["context", "conv2d 3x3, padding 2, dilation 2", [2, 4, 6, 5], [1, 11, 11]],
      ["", "concat", [2, 8, 6, 5], [1, 11, 11]],
      ["up", "convTranspose2d 2x2, stride 2", [2, 2, 12, 10], [1, 11, 11]],
    ]);
    expect(bytes).toBe(4 * (240 + 240 + 480 + 480));
    const text = explainNetwork(net, [2, 2, 12, 10]).toString().split("\n");
    expect(text[0]).toMatch(/^layer +kind +output +weights +multiply-adds +receptive field +bytes$/);
    expect(text[2]).toMatch(/^down +conv2d 3x3, stride 2, padding 1 +2 x 4 x 6 x 5 +76 +4,320 +3 x 3 +960$/);
    expect(text).toHaveLength(7);
    disposeModule(net);
  });

  gpuTest("follows pooling, resizing and what reads all positions", ({ bare: engine }) => {
    const init = { engine, random: new Random(1) };
    const first = layers.conv2d(init, 4, 4, { kernel: 3, padding: 1 });
    /** What a value is computed from after a 3x3, the operation, and another 3x3. */
    const after = (operation: (x: Tensor) => Tensor): readonly number[] | undefined => {
      const net = defineModule({
        kind: "network",
        children: { first },
        forward: (x) => first.forward(operation(first.forward(x))),
      });
      return explainNetwork(net, [2, 4, 16, 16]).layers.at(-1)?.receptiveField;
    };
    // r + (k - 1) j along each axis, for windows of extent k of neighbours that are j positions apart, which then are s j apart.
    expect(after((x) => maxPool2d(x, { kernel: 3, stride: 2, padding: 1 }))).toEqual([1, 3 + 2 + 2 * 2, 3 + 2 + 2 * 2]);
    expect(after((x) => maxPool2d(x, { kernel: [2, 3], stride: 1, dilation: [1, 2] }))).toEqual([
      1,
      3 + 1 + 2,
      3 + 4 + 2,
    ]);
    expect(after((x) => avgPool2d(x, { kernel: [4, 2] }))).toEqual([1, 3 + 3 + 2 * 4, 3 + 1 + 2 * 2]);
    // Half a position apart: three of them reach over one.
    expect(after((x) => interpolate(x, { scaleFactor: 2 }))).toEqual([1, 3 + 1, 3 + 1]);
    expect(after((x) => interpolate(x, { scaleFactor: [1, 2], mode: "bilinear" }))).toEqual([1, 3 + 2, 3 + 1 + 1]);
    // 5 thirds of a position: 3 + 2 * 5 / 3, rounded up.
    expect(after((x) => interpolate(x, { scaleFactor: 0.6 }))).toEqual([1, 7, 7]);
    const unfold = (x: Tensor): Tensor => {
      using cells = pixelUnshuffle(x, 2);
      return maxPool2d(pixelShuffle(cells, 4), { kernel: 1 });
    };
    const net = defineModule({ kind: "network", children: { first }, forward: (x) => unfold(first.forward(x)) });
    const shuffled = explainNetwork(net, [2, 4, 16, 16])
      .layers.at(-1)
      ?.operations.map((one) => one.receptiveField);
    // Cells of 2 x 2, from which then each is half a position away from the next.
    expect(shuffled).toEqual([4, 4, 4].map((extent) => [1, extent, extent]));
    for (const everything of [
      (x: Tensor) => groupNorm(x, 2),
      (x: Tensor) => instanceNorm(x),
      (x: Tensor) => layerNorm(x, [4, 16, 16]),
      (x: Tensor) => mean(x, { axes: [2, 3], keepDims: true }),
      (x: Tensor) => softmax(x, 3),
      (x: Tensor) => globalAveragePool(x),
      (x: Tensor) => globalMaxPool(x),
    ]) {
      expect(after(everything)).toBeUndefined();
    }
    expect(after((x) => add(x, mean(x, { axes: 1, keepDims: true })))).toEqual([1, 5, 5]);
    disposeModule(first);
  });

  gpuTest("follows batch norm in training and after it, and flattened tensors", ({ bare: engine }) => {
    const init = { engine, random: new Random(1) };
    const net = layers.sequential([
      layers.conv2d(init, 2, 3, { kernel: 3 }),
      layers.batchNorm(init, 3),
      layers.flatten(),
      layers.linear(init, 3 * 6 * 6, 5),
    ]);
    const fields = (): unknown => explainNetwork(net, [2, 2, 8, 8]).layers.map((layer) => layer.receptiveField);
    expect(fields()).toEqual([[1, 3, 3], undefined, undefined]);
    setTraining(net, false);
    expect(fields()).toEqual([[1, 3, 3], [1, 3, 3], undefined]);
    const perPosition = layers.linear(init, 3, 2);
    const rows = defineModule({ kind: "network", children: { perPosition }, forward: (x) => perPosition.forward(x) });
    expect(explainNetwork(rows, [2, 4, 4, 3]).layers[0].receptiveField).toEqual([1, 1, 1]);
    disposeModule(net);
    disposeModule(perPosition);
  });

  gpuTest("computes nothing, leaves nothing behind, and says what the network would", ({ bare: engine }) => {
    const net = stack(engine, [3]);
    const { liveTensors, liveBytes } = engine.memory();
    // Half a gigabyte.
    expect(explainNetwork(net, [16, CHANNELS, 1024, 1024]).layers[0].shape).toEqual([16, CHANNELS, 1024, 1024]);
    expect(() => explainNetwork(net, [1, 3, 8, 8])).toThrow(/^in layer 0: /);
    expect(() => explainNetwork(net, [1, 0, 8, 8])).toThrow(/the input has shape \[1, 0, 8, 8\]/);
    expect(engine.memory()).toMatchObject({ liveTensors, liveBytes });
    using x = engine.tensor(new Float32Array(CHANNELS * 4), [1, CHANNELS, 2, 2]);
    using y = net.forward(x);
    expect(y.shape).toEqual([1, CHANNELS, 2, 2]);
    disposeModule(net);
  });
});
