/**
 * Devices of little: bindings of 1 MiB, 16 KiB of workgroup memory, 64 workgroups along a dimension, four storage buffers. Small
 * integers, whose sums are exact, since such a device may have other solvers.
 */
import { describe, expect } from "vitest";
import { type Fill, Random } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { type LargeLayer, otherBits, runLayer } from "../support/largeLayer.js";
import { randomLayer } from "../support/randomSpace.js";
import { seedsToRun } from "../support/seeds.js";
import { LOW_LIMITS } from "../support/smallDevice.js";
import { onLimits } from "../support/smallEngine.js";

/** Sums of products of these are exact, in float16, too. */
const tinyIntegers: Fill = (random, count) => Float32Array.from({ length: count }, () => random.integer(-1, 1));

describe("random layers are exact", () => {
  for (const seed of seedsToRun(6)) {
    gpuTest(`seed ${String(seed)}`, async ({ engine }) => {
      const random = new Random(seed);
      const layer: LargeLayer = { ...randomLayer(random), residual: random.next() < 0.7, activation: "relu" };
      await onLimits(engine, LOW_LIMITS, async (small) => {
        const wanted = await runLayer(engine, layer, tinyIntegers, seed);
        expect(otherBits(await runLayer(small, layer, tinyIntegers, seed), wanted)).toEqual([]);
      });
    });
  }
});

describe("a layer with bias, residual and slopes, which would bind six buffers", () => {
  const LAYERS: Readonly<Record<string, Omit<LargeLayer, "rank">>> = {
    "3x3": { input: [2, 5, 9, 11], weight: [7, 5, 3, 3], options: { padding: 1 } },
    "by the direct solver": { input: [2, 5, 9, 11], weight: [7, 5, 3, 3], solver: "direct" },
    "pointwise, channels last": { input: [1, 8, 8, 16], weight: [12, 16, 1, 1], options: { layout: "channels-last" } },
    depthwise: { input: [1, 6, 12, 9], weight: [6, 1, 3, 3], options: { groups: 6 } },
    transposed: { transposed: true, input: [2, 6, 5, 7], weight: [6, 4, 3, 3], options: { stride: 2 } },
    "in float16": { input: [1, 5, 9, 9], weight: [6, 5, 3, 3], dtype: "float16" },
  };
  for (const [name, layer] of Object.entries(LAYERS)) {
    gpuTest(name, async ({ engine }) => {
      const given: LargeLayer = { rank: 2, ...layer, residual: true, prelu: true };
      await onLimits(engine, LOW_LIMITS, async (small) => {
        const wanted = await runLayer(engine, given, tinyIntegers);
        const { forward } = await runLayer(small, given, tinyIntegers);
        expect(otherBits({ ...wanted, forward }, wanted)).toEqual([]);
      });
    });
  }
});

describe("with all of it at once", () => {
  gpuTest("a volume of more than a binding, in parts of 64 x 64 workgroups", async ({ engine }) => {
    const layer: LargeLayer = {
      rank: 3,
      input: [1, 6, 40, 50, 60],
      weight: [5, 6, 3, 3, 3],
      options: { padding: 1 },
      residual: true,
      activation: "relu",
    };
    await onLimits(engine, LOW_LIMITS, async (small) => {
      const wanted = await runLayer(engine, layer, tinyIntegers);
      expect(otherBits(await runLayer(small, layer, tinyIntegers), wanted)).toEqual([]);
    });
  });

  gpuTest("grids of more than 64 x 64 workgroups", async ({ engine }) => {
    const { maxComputeWorkgroupsPerDimension } = LOW_LIMITS;
    await onLimits(engine, { maxComputeWorkgroupsPerDimension }, async (small) => {
      const layer = { input: [1, 1, 700, 900], weight: [1, 1, 1, 1] };
      const { dispatches } = small.explain("conv2d", layer, { solver: "direct" });
      expect(dispatches.length).toBeGreaterThan(1);
      const given: LargeLayer = { rank: 2, ...layer, solver: "direct" };
      const { forward } = await runLayer(engine, given, tinyIntegers);
      const wanted = await runLayer(small, given, tinyIntegers);
      expect(otherBits({ ...wanted, forward }, wanted)).toEqual([]);
    });
  });
});
