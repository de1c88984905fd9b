/**
 * Tensors larger than a binding: one of more than the 128 MiB that every device binds, and those of a class of GPUs. In Node alone, for
 * memory and time.
 */
import { createEngine } from "test-engine";
import { describe, expect } from "vitest";
import type { Engine } from "webgpu-conv";
import { reals } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { type LargeLayer, otherBits, runLayer } from "../support/largeLayer.js";
import { withLimits } from "../support/smallDevice.js";
import { onBindings } from "../support/smallEngine.js";

const SHAPE = [1, 2, 96, 440, 440];
const WEIGHTS = [0.3, -0.7, 0.11, 0.2, 0.9, -0.4];

async function run(engine: Engine, values: Float32Array): Promise<Float32Array> {
  using x = engine.tensor(values, SHAPE);
  using w = engine.tensor(WEIGHTS, [1, 2, 3, 1, 1]);
  using y = engine.conv3d(x, w, { padding: [1, 0, 0] });
  return await y.data();
}

gpuTest("149 MB on WebGPU's default limits", { timeout: 120_000 }, async ({ engine }) => {
  const values = Float32Array.from({ length: 2 * 96 * 440 * 440 }, (_, i) => ((i * 7919) % 1000) / 777 - 0.6);
  await onBindings(engine, 2 ** 27, async (small) => {
    const { pieces } = small.explain("conv3d", { input: SHAPE, weight: [1, 2, 3, 1, 1] }, { padding: [1, 0, 0] });
    expect(pieces).toMatchObject({ count: 2, along: { depth: 2 } });
    const wanted = await run(engine, values);
    const got = await run(small, values);
    expect(got.findIndex((value, i) => !Object.is(value, wanted[i]))).toBe(-1);
    expect(got).toHaveLength(96 * 440 * 440);
  });
});

describe("a class of GPUs has other solvers, and their order", () => {
  const LAYERS: Readonly<Record<string, LargeLayer>> = {
    "matrix products, channels last": {
      rank: 2,
      input: [1, 60, 50, 30],
      weight: [30, 30, 3, 3],
      options: { layout: "channels-last", padding: 1 },
    },
    "of odd channels": { rank: 2, input: [1, 7, 70, 61], weight: [13, 7, 3, 3], options: { padding: 1 } },
    "by Winograd's": { rank: 2, input: [2, 32, 40, 37], weight: [32, 32, 3, 3], options: { padding: 1 } },
  };
  for (const [name, layer] of Object.entries(LAYERS)) {
    gpuTest(name, { timeout: 60_000 }, async ({ engine }) => {
      const device = withLimits(deviceOf(engine), { maxStorageBufferBindingSize: 48 * 1024 });
      const [whole, small] = await Promise.all(
        [deviceOf(engine), device.device].map((one) => createEngine({ device: one, deviceClass: "amd-rdna" })),
      );
      const other = otherBits(await runLayer(small, layer, reals), await runLayer(whole, layer, reals));
      whole.dispose();
      small.dispose();
      expect(other).toEqual([]);
      expect(device.violations).toEqual([]);
    });
  }
});
