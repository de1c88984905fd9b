/**
 * Tensors larger than a binding: operations on them run in pieces, with the bits of the whole. The device of these tests reports
 * bindings of 1 MiB, or less; what goes beyond that is a failure.
 */
import { describe, expect } from "vitest";
import { LimitError } from "webgpu-conv";
import { product } from "../../src/problem/geometry.js";
import { type Fill, Random, reals } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { type LargeLayer, otherBits, runLayer } from "../support/largeLayer.js";
import { randomLayer } from "../support/randomSpace.js";
import { seedsToRun } from "../support/seeds.js";
import { onBindings } from "../support/smallEngine.js";

const MIB = 2 ** 20;

/** Sums of products of these are exact, in float16, too. */
const tinyIntegers: Fill = (random, count) => Float32Array.from({ length: count }, () => random.integer(-1, 1));
/** Likewise of as many as there are positions of an image: most are zero. */
const coarse: Fill = (random, count) =>
  Float32Array.from({ length: count }, () => (random.next() < 0.01 ? random.integer(-1, 1) : 0));

const CASES: Readonly<Record<string, LargeLayer>> = {
  "1D, strided and dilated": {
    rank: 1,
    input: [2, 3, 100_003],
    weight: [4, 3, 5],
    options: { stride: 2, dilation: 3, padding: [[4, 7]] },
    residual: true,
  },
  "3x3 of many channels": {
    rank: 2,
    input: [1, 32, 101, 99],
    weight: [32, 32, 3, 3],
    options: { padding: 1 },
    activation: "relu",
  },
  "pointwise, a batch": { rank: 2, input: [5, 64, 33, 32], weight: [48, 64, 1, 1], activation: "tanh" },
  depthwise: { rank: 2, input: [2, 96, 60, 61], weight: [96, 1, 3, 3], options: { groups: 96, padding: 1 } },
  "of three groups, channels last": {
    rank: 2,
    input: [3, 90, 80, 24],
    weight: [36, 8, 3, 3],
    options: { groups: 3, padding: 1, layout: "channels-last" },
  },
  "a volume": { rank: 3, input: [1, 4, 33, 60, 62], weight: [3, 4, 3, 3, 3], options: { padding: 1 }, residual: true },
  "a volume, channels last": {
    rank: 3,
    input: [1, 30, 60, 62, 6],
    weight: [8, 6, 3, 2, 3],
    options: { layout: "channels-last", padding: [[1, 1], [0, 1], [2, 1]] }, // prettier-ignore
  },
  transposed: {
    rank: 2,
    transposed: true,
    input: [2, 12, 60, 70],
    weight: [12, 9, 4, 3],
    options: { stride: [2, 3], padding: 1 },
    activation: "sigmoid",
  },
  "mirrored at the edges": {
    rank: 2,
    input: [1, 3, 350, 330],
    weight: [5, 3, 5, 4],
    options: { padding: 2, paddingMode: "reflect" },
  },
  "with edges that repeat": {
    rank: 3,
    input: [2, 2, 41, 50, 47],
    weight: [2, 2, 3, 3, 5],
    options: { padding: [2, 1, 3], paddingMode: "replicate", stride: [1, 2, 1] },
  },
  "wrapped around": {
    rank: 2,
    input: [6, 3, 170, 180],
    weight: [4, 3, 3, 3],
    options: { padding: 1, paddingMode: "circular" },
  },
  "in float16, channels last, of odd extents": {
    rank: 2,
    input: [2, 91, 81, 45],
    weight: [7, 45, 2, 3],
    dtype: "float16",
    options: { layout: "channels-last" },
  },
  "in float16": {
    rank: 2,
    input: [2, 16, 140, 150],
    weight: [12, 16, 3, 3],
    dtype: "float16",
    options: { padding: 1 },
  },
};

describe("have the bits of the whole", () => {
  for (const [name, layer] of Object.entries(CASES)) {
    gpuTest(name, async ({ engine }) => {
      await onBindings(engine, MIB, async (small) => {
        const wanted = await runLayer(engine, layer, reals);
        expect(otherBits(await runLayer(small, layer, reals), wanted)).toEqual([]);
      });
    });
  }
});

for (const dtype of ["float32", "float16"] as const) {
  gpuTest(`pieces without an edge have no copies to add, in ${dtype}`, async ({ engine }) => {
    const options = { padding: [[2, 1], [1, 3]], paddingMode: "symmetric" } as const; // prettier-ignore
    const layer: LargeLayer = { rank: 2, input: [1, 3, 80, 61], weight: [2, 3, 3, 4], options, dtype };
    await onBindings(engine, 8192, async (small) => {
      const { input, weight } = layer;
      const { pieces, limit } = small.explain("conv2dInputGradient", { input, weight }, { ...options, dtype });
      expect(limit).toBeUndefined();
      expect(pieces?.along.height).toBeGreaterThan(2);
      const other = otherBits(await runLayer(small, layer, reals), await runLayer(engine, layer, reals));
      // Sums over positions are in parts.
      expect(other.filter((what) => !/^(weight|bias) gradient/.test(what))).toEqual([]);
    });
  });
}

gpuTest("a piece may lie within the reach of the padding, and not begin at the edge", async ({ engine }) => {
  const options = { padding: [[4, 4], [0, 0]], paddingMode: "reflect" } as const; // prettier-ignore
  const layer: LargeLayer = { rank: 2, input: [1, 1, 40, 1024], weight: [1, 1, 5, 1], options };
  // Of 12 rows. Pieces have three, of 11 that they read.
  await onBindings(engine, 12 * 4096, async (small) => {
    const { input, weight } = layer;
    const { pieces, limit } = small.explain("conv2dInputGradient", { input, weight }, options);
    expect(limit).toBeUndefined();
    expect(pieces?.along).toEqual({ height: 14 });
    const other = otherBits(await runLayer(small, layer, reals), await runLayer(engine, layer, reals));
    expect(other.filter((what) => !/^(weight|bias) gradient/.test(what))).toEqual([]);
  });
});

/** Small integers, whose sums are exact in any order: sums that are computed in parts have other bits of reals. */
describe("random layers are exact", () => {
  for (const seed of seedsToRun(8)) {
    gpuTest(`seed ${String(seed)}`, async ({ engine }) => {
      const random = new Random(seed);
      const { rank, transposed, input, weight, options, dtype } = randomLayer(random);
      const layer: LargeLayer = { rank, transposed, input, weight, options, dtype, residual: random.next() < 0.5 };
      const bytes = random.pick([512, 768, 1024]);
      await onBindings(engine, bytes, async (small) => {
        const wanted = await runLayer(engine, layer, tinyIntegers, seed);
        const other = otherBits(await runLayer(small, layer, tinyIntegers, seed), wanted);
        expect(other.filter((what) => !what.includes("no smaller pieces can be"))).toEqual([]);
      });
    });
  }
});

describe("sums that read more than a binding of one pair of channels", () => {
  const LARGEST: LargeLayer = { rank: 2, input: [1, 2, 700, 600], weight: [2, 2, 3, 3], options: { padding: 1 } };
  for (const dtype of ["float32", "float16"] as const) {
    gpuTest(`are computed in parts, in ${dtype}`, async ({ engine }) => {
      const { weight } = LARGEST;
      const input = dtype === "float16" ? [1, 2, 1101, 601] : LARGEST.input;
      const layer = { ...LARGEST, dtype, input };
      await onBindings(engine, MIB, async (small) => {
        const { pieces } = small.explain("conv2dWeightGradient", { input, weight }, { padding: 1, dtype });
        expect(pieces?.sumParts).toBeGreaterThan(1);
        expect(otherBits(await runLayer(small, layer, coarse), await runLayer(engine, layer, coarse))).toEqual([]);
        expect(small.kernelFaults).toEqual([]);
      });
    });
  }

  // It reads float16 where it has results of float16, and float32 where it computes a part.
  gpuTest("are computed in parts by a solver that is named, in float16", async ({ engine }) => {
    await onBindings(engine, 2 ** 16, async (small) => {
      const [shape, options] = [[1, 2, 301, 121], { dtype: "float16" }] as const;
      using x = small.tensor(new Float32Array(product(shape)).fill(2 ** -4), shape, options);
      using dy = small.tensor(new Float32Array(product(shape)).fill(1), shape, options);
      using dw = small.conv2dWeightGradient(dy, x, [2, 2, 1, 1], { solver: "implicit-gemm" });
      // 36,421 / 16 is rounded to a multiple of 2.
      expect([...(await dw.data())]).toEqual([2276, 2276, 2276, 2276]);
    });
  });
});

describe("explain tells pieces first", () => {
  gpuTest("how many, along which axes, and why", async ({ engine }) => {
    await onBindings(engine, MIB, async (small) => {
      const volume = { input: [2, 30, 16, 32, 32], weight: [4, 30, 3, 3, 3] };
      const explanation = small.explain("conv3d", volume, { padding: 1 });
      expect(explanation.limit).toBeUndefined();
      expect(explanation.pieces).toEqual({
        why: "x has 3,932,160 bytes, and the device binds 1,048,576 bytes (maxStorageBufferBindingSize)",
        count: 8,
        along: { samples: 2, depth: 4 },
        sumParts: 1,
      });
      expect(String(explanation)).toContain("in 8 pieces, 2 along samples, 4 along depth: x has 3,932,160 bytes");
      await Promise.resolve();
    });
  });

  gpuTest("nothing of them where all tensors fit", async ({ engine }) => {
    await onBindings(engine, MIB, async (small) => {
      const { pieces } = small.explain("conv2d", { input: [1, 3, 64, 64], weight: [8, 3, 3, 3] });
      expect(pieces).toBeUndefined();
      await Promise.resolve();
    });
  });

  gpuTest("what cannot be, which the call then throws", async ({ engine }) => {
    await onBindings(engine, MIB, async (small) => {
      // One result reads 1.2 million elements.
      const shapes = { input: [1, 300_000, 2, 2], weight: [1, 300_000, 2, 2] };
      const { limit, solver } = small.explain("conv2d", shapes);
      expect(solver).toBe("none");
      expect(limit).toMatch(
        /^x has 4,800,000 bytes, and the device binds 1,048,576 bytes \(maxStorageBufferBindingSize\), and no smaller pieces can be/,
      );
      using x = small.tensor(new Float32Array(1_200_000), shapes.input);
      using w = small.tensor(new Float32Array(1_200_000), shapes.weight);
      expect(() => small.conv2d(x, w)).toThrow(new LimitError(String(limit)));
      await Promise.resolve();
    });
  });
});
