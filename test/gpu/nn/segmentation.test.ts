/** A network that sees far in three dimensions: by tiles, and trained block by block, it is what it is as a whole. */
import { createEngine } from "test-engine";
import { adam, disposeModule, explainNetwork, type Module, parametersOf, setTraining } from "webgpu-conv/nn";
import type { Engine, Tensor } from "webgpu-conv";
import { describe, expect, test } from "vitest";
import { type Block, blocksOf, voxelsOf } from "../../../examples/segment/blocks.js";
import { PeakMemory, trainingBytes } from "../../../examples/segment/memory.js";
import { HALO, makeMeshNet } from "../../../examples/segment/network.js";
import { type Extents, makePhantom } from "../../../examples/segment/phantom.js";
import { segmentVolume } from "../../../examples/segment/segmentVolume.js";
import { disposeAll, lossOf, type LossOptions, trainStep } from "../../../examples/segment/training.js";
import { gpuTest } from "../../support/gpuTest.js";
import { compareTiled } from "../../support/nn/compareTiled.js";
import { makeFloat64Engine } from "../../support/nn/float64Engine.js";

const SEED = 3;

/** A network whose tensors go when the test ends. */
async function withNetwork<Result>(
  engine: Engine,
  channels: number,
  use: (network: Module) => Promise<Result>,
): Promise<Result> {
  const network = await makeMeshNet(engine, channels, SEED);
  try {
    return await use(network);
  } finally {
    disposeModule(network);
  }
}

describe("a volume by tiles", () => {
  gpuTest("sees 93 voxels along each axis, by as many weights as are published", async ({ bare: engine }) => {
    for (const [channels, weights] of [
      [5, 5598],
      [21, 96_078],
    ]) {
      await withNetwork(engine, channels, async (network) => {
        const explained = await Promise.resolve(explainNetwork(network, [1, 1, 9, 8, 7]));
        expect(explained.weights).toBe(weights);
        expect(explained.layers.at(-1)?.receptiveField).toEqual([93, 93, 93].map(() => 1 + 2 * HALO));
      });
    }
  });

  // Along the last axis crops are shorter than the volume: 25 + 2 * 46 of 119.
  const cases: readonly (readonly [number, Extents, Extents, number])[] = [
    [5, [9, 11, 119], [5, 11, 25], 10],
    [21, [5, 7, 107], [5, 4, 14], 16],
  ];
  for (const [channels, extents, tile, tiles] of cases) {
    gpuTest(
      `has the bits of the whole, of ${String(channels)} channels`,
      { timeout: 60_000 },
      async ({ bare: engine }) => {
        await withNetwork(engine, channels, async (network) => {
          setTraining(network, false);
          expect(await compareTiled(engine, network, [1, ...extents], { tile })).toBe(tiles);
        });
      },
    );
  }

  test("has the same classes part by part, and in memory that is bounded", { timeout: 60_000 }, async () => {
    const extents: Extents = [9, 11, 300];
    const volume = makePhantom(extents, SEED);
    const labelsIn = async (maxBytes: number, apart: boolean) => {
      using engine = await createEngine({ poolBytes: 2 ** 30 });
      return await withNetwork(engine, 5, async (network) => {
        const peak = new PeakMemory(engine);
        const found = await segmentVolume(network, volume, { maxBytes, apart, onProgress: () => peak.look() });
        expect(Math.max(...found.passes.map(({ bytes }) => bytes))).toBeLessThanOrEqual(maxBytes);
        expect(peak.bytes).toBeLessThanOrEqual(maxBytes);
        return found;
      });
    };
    const whole = await labelsIn(2 ** 28, false);
    expect(whole.passes.map(({ tiles, voxels }) => [tiles, voxels])).toEqual([[1, volume.values.length]]);
    expect(new Set(whole.labels).size).toBeGreaterThan(1);
    const tiled = await labelsIn(2.4e6, false);
    const apart = await labelsIn(2.4e6, true);
    expect(tiled.passes[0].tiles).toBeGreaterThan(2);
    expect(apart.passes).toHaveLength(3);
    // A part of the network sees less far than all of it.
    const most = Math.max(...apart.passes.map(({ voxels }) => voxels));
    expect(most).toBeLessThan(0.75 * tiled.passes[0].voxels);
    for (const { labels } of [tiled, apart]) expect(labels.findIndex((label, i) => label !== whole.labels[i])).toBe(-1);
  });
});

/** Values by name, of gradients that go. */
async function readAll(gradients: Readonly<Record<string, Tensor>>): Promise<Record<string, Float32Array>> {
  const entries = Object.entries(gradients).map(async ([name, one]) => [name, await one.data()] as const);
  const values = Object.fromEntries(await Promise.all(entries));
  disposeAll(gradients);
  return values;
}

/** The largest difference of any gradient's elements, as a part of that gradient's largest magnitude. */
function distance(
  got: Readonly<Record<string, ArrayLike<number>>>,
  expected: Readonly<Record<string, ArrayLike<number>>>,
): number {
  const distances = Object.entries(expected).map(([name, values]) => {
    const list = Array.from(values);
    const largest = Math.max(...list.map(Math.abs));
    return Math.max(...list.map((value, i) => Math.abs(value - got[name][i]))) / largest;
  });
  return Math.max(...distances);
}

const whole = (extents: Extents): readonly Block[] => blocksOf(extents, [1, 1, 1], HALO);

describe("gradients of a volume", () => {
  test("are those of layers that are kept, in less memory", { timeout: 60_000 }, async () => {
    const of: Extents = [19, 17, 21];
    using engine = await createEngine({ poolBytes: 2 ** 30 });
    const [again, kept] = await withNetwork(engine, 5, async (network) => {
      const results = [];
      for (const recompute of [true, false]) {
        const before = engine.memory().liveTensors;
        const { loss, gradients } = await lossOf(engine, network, makePhantom(of, SEED), whole(of), { recompute });
        const { liveBytes, pooledBytes } = engine.memory();
        results.push({ loss, values: await readAll(gradients), bytes: liveBytes + pooledBytes });
        expect(engine.memory().liveTensors).toBe(before);
      }
      return results;
    });
    expect(again.loss).toBe(kept.loss);
    expect(again.values).toEqual(kept.values);
    // What was given back waits to be used again, so that the second time shows what it takes beyond the first.
    expect(again.bytes).toBeLessThan(0.85 * kept.bytes);
    // The figure that blocks are cut by is near what is taken.
    const [most, fixed] = [trainingBytes(5, voxelsOf(of)), trainingBytes(5, 0)];
    expect(again.bytes).toBeLessThanOrEqual(most);
    expect(again.bytes).toBeGreaterThan(0.75 * (most - fixed));
  });

  // 100 voxels in two blocks: each sees 96 of them.
  const extents: Extents = [4, 5, 100];
  const volume = makePhantom(extents, SEED);

  /** In float64, unrounded. */
  async function exactGradients(blocks: readonly Block[]): Promise<Record<string, Float64Array>> {
    const exact = makeFloat64Engine();
    const network = await makeMeshNet(exact.engine, 5, SEED);
    const { gradients } = await lossOf(exact.engine, network, volume, blocks);
    return Object.fromEntries(Object.entries(gradients).map(([name, one]) => [name, exact.values(one)]));
  }

  gpuTest("are the sum of its blocks', but for rounding", { timeout: 60_000 }, async ({ bare: engine }) => {
    const blocks = blocksOf(extents, [1, 2, 2], HALO);
    expect(blocks[0].crop[2]).toEqual({ begin: 0, end: 96 });
    const expected = await exactGradients(whole(extents));
    expect(distance(await exactGradients(blocks), expected)).toBeLessThan(1e-12);
    // With less around a block than the network sees it is another sum.
    expect(distance(await exactGradients(blocksOf(extents, [1, 2, 2], HALO - 20)), expected)).toBeGreaterThan(1e-6);
    // Twenty passes in a row, of some hundred roundings each at most, of 2^-24.
    const tolerance = 20 * 100 * 2 ** -24;
    await withNetwork(engine, 5, async (network) => {
      for (const parts of [whole(extents), blocks]) {
        const { gradients } = await lossOf(engine, network, volume, parts);
        expect(distance(await readAll(gradients), expected)).toBeLessThan(tolerance);
      }
    });
  });

  gpuTest(
    "make its loss fall, whole and in blocks, and leave nothing behind",
    { timeout: 60_000 },
    async ({ bare: engine }) => {
      const losses: number[][] = [];
      for (const blocks of [whole(extents), blocksOf(extents, [1, 1, 2], HALO)]) {
        await withNetwork(engine, 5, async (network) => {
          using optimizer = adam(engine, parametersOf(network), { lr: 1e-2 });
          const before = engine.memory().liveTensors;
          const own: number[] = [];
          for (let step = 0; step < 6; step++) own.push(await trainStep(engine, network, optimizer, volume, blocks));
          losses.push(own);
          expect(engine.memory().liveTensors).toBe(before);
        });
      }
      for (const own of losses) expect(own[5]).toBeLessThan(0.9 * own[0]);
      expect(losses[1][0] / losses[0][0]).toBeCloseTo(1, 5);
    },
  );

  gpuTest("end early, and leave nothing behind", async ({ bare: engine }) => {
    await withNetwork(engine, 5, async (network) => {
      const blocks = blocksOf(extents, [1, 1, 2], HALO);
      const cancel = new AbortController();
      const before = engine.memory().liveTensors;
      const options: LossOptions = { signal: cancel.signal, onBlock: () => cancel.abort(new Error("enough")) };
      await expect(lossOf(engine, network, volume, blocks, options)).rejects.toThrow("enough");
      expect(engine.memory().liveTensors).toBe(before);
    });
  });
});
