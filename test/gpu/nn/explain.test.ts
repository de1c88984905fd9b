/** What a network is made of, as the textbook counts it, without computing anything. */
import { concat, defineModule, disposeModule, explainNetwork, layers, type Module, Random } from "webgpu-conv/nn";
import type { Engine } from "webgpu-conv";
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
