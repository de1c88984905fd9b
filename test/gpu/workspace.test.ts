/** Memory shared within a batch: what one operation is done with, later ones write over. */
import type { Engine, Tensor } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { Random, smallIntegers } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const CHANNELS = 8;
const SHAPE = [1, CHANNELS, 12, 12];
const LAYERS = 12;

/** A chain of layers, by solvers with scratch memory and without; `keep` leaves what is between them alive. */
function runChain(engine: Engine, x: Tensor, w: Tensor, keep: boolean): Tensor {
  let current = x;
  const kept: Tensor[] = [];
  for (let layer = 0; layer < LAYERS; layer++) {
    const solver = ["vector-tile", "direct", { name: "winograd", config: { tile: 2 } }, "register-tile"][layer % 4];
    // relu6 keeps values small integers.
    const next = engine.conv2d(current, w, { padding: 1, activation: "relu6", solver });
    if (current !== x) {
      if (keep) kept.push(current);
      else current.dispose();
    }
    current = next;
  }
  kept.forEach((tensor) => tensor.dispose());
  return current;
}

describe("operations of a batch", () => {
  gpuTest("share memory and give the same bits, whatever they run in", async ({ engine: poisoned }) => {
    using engine = await createEngine({ device: deviceOf(poisoned) });
    const values = smallIntegers(new Random(5), CHANNELS * 144);
    const weights = smallIntegers(new Random(6), CHANNELS * CHANNELS * 9);
    const results: number[][] = [];
    for (const [each, keep] of [
      [poisoned, true],
      [engine, true],
      [engine, false],
      [engine, false],
    ] as const) {
      using x = each.tensor(values, SHAPE);
      using w = each.tensor(weights, [CHANNELS, CHANNELS, 3, 3]);
      using y = runChain(each, x, w, keep);
      results.push([...(await y.data())]);
    }
    expect(new Set(results[0]).size).toBeGreaterThan(2);
    for (const result of results) expect(result).toEqual(results[0]);
  });

  gpuTest("take the memory of a few layers, not of all", async ({ engine: shared }) => {
    const device = deviceOf(shared);
    const peakOf = async (keep: boolean): Promise<number> => {
      using engine = await createEngine({ device });
      using x = engine.tensor(smallIntegers(new Random(5), CHANNELS * 144), SHAPE);
      using w = engine.tensor(smallIntegers(new Random(6), CHANNELS * CHANNELS * 9), [CHANNELS, CHANNELS, 3, 3]);
      using y = runChain(engine, x, w, keep);
      await y.data();
      const { liveBytes, pooledBytes } = engine.memory();
      return liveBytes + pooledBytes;
    };
    const [shared12, kept12] = [await peakOf(false), await peakOf(true)];
    expect(shared12).toBeLessThan(kept12 - (LAYERS - 4) * 4 * CHANNELS * 144);
  });

  gpuTest("put workspace into what earlier ones are done with, however large", async ({ engine: shared }) => {
    const device = deviceOf(shared);
    const peakOf = async (sizes: readonly number[], apart = false): Promise<number> => {
      using engine = await createEngine({ device });
      using w = engine.tensor(smallIntegers(new Random(6), CHANNELS * CHANNELS * 9), [CHANNELS, CHANNELS, 3, 3]);
      for (const size of sizes) {
        using x = engine.tensor(smallIntegers(new Random(5), CHANNELS * size), [1, CHANNELS, 1, size]);
        engine.conv2d(x, w, { padding: 1, solver: { name: "winograd", config: { tile: 2 } } }).dispose();
        if (apart) await engine.finish();
      }
      await engine.finish();
      const { liveBytes, pooledBytes } = engine.memory();
      return liveBytes + pooledBytes;
    };
    // Winograd's transforms are by far the largest of it: sixteen values of each tile and channel, before and after the product.
    const sizes = [4096, 3000, 2200, 1600];
    const [largest, all] = [await peakOf(sizes.slice(0, 1)), await peakOf(sizes)];
    const workspace = (size: number): number => 2 * 16 * 4 * CHANNELS * (size / 2);
    expect(largest).toBeGreaterThan(workspace(sizes[0]));
    expect(all - largest).toBeLessThan(workspace(sizes[2]));
    // Likewise what earlier batches have given back.
    expect((await peakOf(sizes, true)) - largest).toBeLessThan(workspace(sizes[2]));
  });

  gpuTest("leave alone what the host writes at once", async ({ engine: shared }) => {
    using engine = await createEngine({ device: deviceOf(shared) });
    using w = engine.tensor([3], [1, 1, 1, 1]);
    using x = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
    const outputs: Tensor[] = [];
    for (let i = 0; i < 8; i++) {
      // Recorded and disposed of: its memory must not be what the next upload is written to, which comes earlier.
      const y = engine.conv2d(x, w);
      const z = engine.conv2d(y, w);
      y.dispose();
      const uploaded = engine.tensor([i, i, i, i], [1, 1, 2, 2]);
      outputs.push(engine.conv2d(uploaded, w, { residual: z }));
      uploaded.dispose();
      z.dispose();
    }
    for (const [i, output] of outputs.entries()) {
      expect([...(await output.data())]).toEqual([9 + 3 * i, 18 + 3 * i, 27 + 3 * i, 36 + 3 * i]);
      output.dispose();
    }
  });
});

describe("results are the same bits", () => {
  const conv = { input: [2, 32, 30, 30], weight: [32, 32, 3, 3], options: { padding: 1 } } as const;

  gpuTest("from run to run, and from engine to engine on a device", async ({ engine: first }) => {
    using second = await createEngine({ device: deviceOf(first) });
    // Reals, whose sums depend on their order.
    const real = (size: number, seed: number): Float32Array =>
      Float32Array.from({ length: size }, (_, i) => Math.sin(seed + 1.7 * i));
    const [x, w] = [real(2 * 32 * 900, 1), real(32 * 32 * 9, 2)];
    const seen = new Set<string>();
    for (const engine of [first, first, second, first]) {
      using input = engine.tensor(x, conv.input);
      using weight = engine.tensor(w, conv.weight);
      using y = engine.conv2d(input, weight, conv.options);
      const { input: dx, weight: dw, bias } = engine.conv2dBackward(y, input, weight, conv.options);
      const all = await Promise.all(
        [y, dx, dw, bias].map(async (tensor) => [...new Uint32Array((await tensor.data()).buffer)]),
      );
      seen.add(JSON.stringify(all));
      [dx, dw, bias].forEach((tensor) => tensor.dispose());
    }
    expect(seen.size).toBe(1);
  });
});
