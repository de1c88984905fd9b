/** Weights in the form that kernels read: packed when their values are new, kept while they stay. */
import type { Engine, Tensor } from "webgpu-conv";
import { sgd } from "webgpu-conv/nn";
import { forward, inputGradient, makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { countKernels } from "../support/countKernels.js";
import { Random, smallIntegers } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const CHANNELS = 4;
const INPUT = [1, CHANNELS, 8, 8];
const WEIGHT = [CHANNELS, CHANNELS, 3, 3];
const PROBLEM = makeProblem(2, INPUT, WEIGHT, { padding: 1 });
/** Exact on small integers; its filters are transformed. */
const OPTIONS = { padding: 1, solver: { name: "winograd", config: { tile: 2 } } } as const;
const X = smallIntegers(new Random(1), CHANNELS * 64);
const weightsOf = (seed: number): Float32Array<ArrayBuffer> => smallIntegers(new Random(seed), CHANNELS * CHANNELS * 9);
const expected = (seed: number): number[] => [...forward(PROBLEM, X, weightsOf(seed))];
/** Transformed filters: 16 products of each. */
const PACKED_BYTES = 4 * 16 * CHANNELS * CHANNELS;

interface Layer extends Disposable {
  readonly engine: Engine;
  readonly device: GPUDevice;
  readonly x: Tensor;
  readonly w: Tensor;
  readonly run: () => Tensor;
  /** The result's values, and how many kernels it took. */
  readonly measure: () => Promise<{ values: number[]; kernels: number }>;
}

async function makeLayer(shared: Engine, options: { readonly poolBytes?: number } = {}): Promise<Layer> {
  const device = deviceOf(shared);
  const engine = await createEngine({ device, poison: true, vetKernels: false, ...options });
  const x = engine.tensor(X, INPUT);
  const w = engine.tensor(weightsOf(1), WEIGHT);
  const run = (): Tensor => engine.conv2d(x, w, OPTIONS);
  const measure: Layer["measure"] = async () => {
    const { started, stop } = countKernels(device);
    using y = run();
    const values = [...(await y.data())];
    stop();
    return { values, kernels: started() };
  };
  return { engine, device, x, w, run, measure, [Symbol.dispose]: () => engine.dispose() };
}

/** Kernels of a call that packs, and of one that finds its weights packed. */
const PACKING = 4;
const PACKED = 3;

describe("packed weights", () => {
  gpuTest("are kept from the second use on, until the tensor is disposed of", async ({ engine: shared }) => {
    using layer = await makeLayer(shared);
    const { engine, w, measure } = layer;
    const before = engine.memory().liveBytes;
    for (const [kernels, kept] of [
      [PACKING, 0],
      [PACKING, PACKED_BYTES],
      [PACKED, PACKED_BYTES],
      [PACKED, PACKED_BYTES],
    ]) {
      expect(await measure()).toEqual({ values: expected(1), kernels });
      expect(engine.memory().liveBytes - before).toBe(kept);
    }
    w.dispose();
    await engine.finish();
    expect(engine.memory().liveBytes).toBe(4 * X.length);
  });

  gpuTest("serve other sizes of input, each direction its own", async ({ engine: shared }) => {
    using layer = await makeLayer(shared);
    const { engine, w, run, measure } = layer;
    for (let i = 0; i < 2; i++) run().dispose();
    const { device } = layer;
    const { started, stop } = countKernels(device);
    const size = [3, CHANNELS, 5, 5];
    const values = smallIntegers(new Random(7), 3 * CHANNELS * 25);
    using x = engine.tensor(values, size);
    using y = engine.conv2d(x, w, OPTIONS);
    using dx = engine.conv2dInputGradient(y, w, size, OPTIONS);
    using again = engine.conv2dInputGradient(y, w, size, OPTIONS);
    using third = engine.conv2dInputGradient(y, w, size, OPTIONS);
    const problem = makeProblem(2, size, WEIGHT, { padding: 1 });
    const sums = forward(problem, values, weightsOf(1));
    expect([...(await y.data())]).toEqual([...sums]);
    const gradient = [...inputGradient(problem, sums, weightsOf(1))];
    for (const tensor of [dx, again, third]) expect([...(await tensor.data())]).toEqual(gradient);
    stop();
    // Two calls before, one of another size, three gradients of which the first two pack.
    expect(started()).toBe(2 * PACKING + PACKED + 2 * PACKING + PACKED);
    expect((await measure()).kernels).toBe(PACKED);
  });

  gpuTest("are packed again once the weights were written", async ({ engine: shared }) => {
    using layer = await makeLayer(shared);
    const { engine, w, measure } = layer;
    for (let i = 0; i < 3; i++) await measure();
    await engine.write(w, weightsOf(2));
    expect(await measure()).toEqual({ values: expected(2), kernels: PACKING });
    expect(await measure()).toEqual({ values: expected(2), kernels: PACKED });
  });

  gpuTest("are not kept of weights that the caller may change unseen", async ({ engine: shared }) => {
    using layer = await makeLayer(shared);
    const { engine, device, w, x, measure } = layer;
    for (let i = 0; i < 3; i++) await measure();
    const { buffer, offset } = w.binding();
    device.queue.writeBuffer(buffer, offset, weightsOf(2));
    // They might be infinite, so a repair follows.
    expect(await measure()).toEqual({ values: expected(2), kernels: PACKING + 1 });
    device.queue.writeBuffer(buffer, offset, weightsOf(3));
    expect(await measure()).toEqual({ values: expected(3), kernels: PACKING + 1 });

    using wrapped = engine.wrap(buffer, WEIGHT, { offset });
    for (const seed of [4, 5, 6]) {
      device.queue.writeBuffer(buffer, offset, weightsOf(seed));
      using y = engine.conv2d(x, wrapped, OPTIONS);
      expect([...(await y.data())]).toEqual(expected(seed));
    }
  });

  gpuTest("keep within the engine's budget, and do not push each other out", async ({ engine: shared }) => {
    using layer = await makeLayer(shared, { poolBytes: 2 * PACKED_BYTES });
    const { engine, x } = layer;
    const seeds = [1, 2, 3];
    const weights = seeds.map((seed) => engine.tensor(weightsOf(seed), WEIGHT));
    const before = engine.memory().liveBytes;
    for (const round of [0, 1, 2]) {
      for (const [i, w] of weights.entries()) {
        const { started, stop } = countKernels(layer.device);
        using y = engine.conv2d(x, w, OPTIONS);
        expect([...(await y.data())], `round ${String(round)}`).toEqual(expected(seeds[i]));
        stop();
        if (round === 2) expect(started()).toBe(i < 2 ? PACKED : PACKING);
      }
      expect(engine.memory().liveBytes - before).toBeLessThanOrEqual(2 * PACKED_BYTES);
    }
    using small = await makeLayer(shared, { poolBytes: PACKED_BYTES - 1 });
    for (let i = 0; i < 3; i++) expect(await small.measure()).toEqual({ values: expected(1), kernels: PACKING });
  });

  gpuTest("of float16 weights too, where kernels read float32", async ({ engine: shared, capabilities }) => {
    using layer = await makeLayer(shared);
    const { engine, device } = layer;
    using x = engine.tensor(X, INPUT, { dtype: "float16" });
    using w = engine.tensor(weightsOf(1), WEIGHT, { dtype: "float16" });
    const counts: number[] = [];
    for (let i = 0; i < 3; i++) {
      const { started, stop } = countKernels(device);
      using y = engine.conv2d(x, w, OPTIONS);
      expect([...(await y.data())]).toEqual(expected(1));
      stop();
      counts.push(started());
    }
    // Without float16 in shaders weights are converted, then transformed, and neither is done again.
    expect(counts).toEqual(capabilities.shaderF16 ? [4, 4, 3] : [7, 7, 5]);
  });
});

describe("packed weights of a compiled sequence", () => {
  gpuTest("are packed in its first run, and again once written", async ({ engine: shared }) => {
    using layer = await makeLayer(shared);
    const { engine, device, w, run } = layer;
    const before = engine.memory().liveBytes;
    const compiled = await engine.compile(() => [run(), run()]);
    const outputs = compiled.result;
    const runs: number[] = [];
    for (const seed of [1, 1, 2, 2]) {
      if (runs.length === 2) await engine.write(w, weightsOf(2));
      const { started, stop } = countKernels(device);
      compiled.run();
      for (const output of outputs) expect([...(await output.data())]).toEqual(expected(seed));
      stop();
      runs.push(started());
    }
    // Two layers of the same weights pack once.
    expect(runs).toEqual([2 * PACKED + 1, 2 * PACKED, 2 * PACKED + 1, 2 * PACKED]);
    compiled.dispose();
    outputs.forEach((output) => output.dispose());
    await engine.finish();
    expect(engine.memory().liveBytes).toBe(before);
  });

  gpuTest(
    "are packed again after each change in place, and once where the last is current",
    async ({ engine: shared }) => {
      using layer = await makeLayer(shared);
      const { engine, device, w, run } = layer;
      const change = smallIntegers(new Random(9), CHANNELS * CHANNELS * 9);
      using gradient = engine.tensor(change, WEIGHT);
      using optimizer = sgd(engine, { w }, { lr: 1 });
      /** With the weights after so many steps. */
      const after = (steps: number): number[] => {
        const weights = weightsOf(1).map((value, i) => value - steps * change[i]);
        return [...forward(PROBLEM, X, weights)];
      };
      using compiled = await engine.compile(() => {
        const outputs = [run()];
        for (let step = 0; step < 2; step++) {
          optimizer.step({ w: gradient });
          outputs.push(run(), run());
        }
        return outputs;
      });
      const started: number[] = [];
      for (let steps = 0; steps < 6; steps += 2) {
        const kernels = countKernels(device);
        compiled.run();
        const values: number[][] = [];
        for (const output of compiled.result) values.push([...(await output.data())]);
        kernels.stop();
        started.push(kernels.started());
        expect(values).toEqual([0, 1, 1, 2, 2].map((more) => after(steps + more)));
      }
      // From the second run on the first layer's weights are those that the run before has packed.
      expect(started.map((count) => count - started[0])).toEqual([0, -1, -1]);
      compiled.result.forEach((output) => output.dispose());
    },
  );

  gpuTest("are packed in each run of weights that the caller may change unseen", async ({ engine: shared }) => {
    using layer = await makeLayer(shared);
    const { engine, device, w, run } = layer;
    using compiled = await engine.compile(run);
    const { buffer, offset } = w.binding();
    for (const seed of [1, 2, 3]) {
      device.queue.writeBuffer(buffer, offset, weightsOf(seed));
      compiled.run();
      expect([...(await compiled.result.data())]).toEqual(expected(seed));
    }
    compiled.result.dispose();
  });

  gpuTest(
    "are packed in each run of weights that a sequence computes, there and elsewhere",
    async ({ engine: shared }) => {
      using layer = await makeLayer(shared);
      const { engine, x } = layer;
      using source = engine.tensor(weightsOf(1), WEIGHT);
      const unit = Array.from({ length: CHANNELS ** 2 }, (_, i) => (i % (CHANNELS + 1) === 0 ? 1 : 0));
      using identity = engine.tensor(unit, [CHANNELS, CHANNELS, 1, 1]);
      // A step of training, in short: new weights, and a layer with them.
      using compiled = await engine.compile(() => {
        const w = engine.conv2d(source, identity);
        return { w, y: engine.conv2d(x, w, OPTIONS) };
      });
      const { w, y } = compiled.result;
      for (const seed of [1, 2, 3]) {
        await engine.write(source, weightsOf(seed));
        compiled.run();
        expect([...(await y.data())]).toEqual(expected(seed));
        for (let i = 0; i < 3; i++) {
          using outside = engine.conv2d(x, w, OPTIONS);
          expect([...(await outside.data())]).toEqual(expected(seed));
        }
      }
      w.dispose();
      y.dispose();
    },
  );

  gpuTest("do not count on a caller's encoder that was given up", async ({ engine: shared }) => {
    using layer = await makeLayer(shared);
    const { engine, device, w, run } = layer;
    using compiled = await engine.compile(run);
    const { result } = compiled;
    const encoder = device.createCommandEncoder();
    const { submitted } = await engine.encode(encoder, () => compiled.run());
    submitted();
    compiled.run();
    expect([...(await result.data())]).toEqual(expected(1));

    // Packed for an encoder alone, which is dropped: nothing of it is kept.
    const dropped = device.createCommandEncoder();
    const encoded = await engine.encode(dropped, () => [run(), run(), run()]);
    encoded.submitted();
    encoded.result.forEach((tensor) => tensor.dispose());
    for (let i = 0; i < 3; i++) expect((await layer.measure()).values).toEqual(expected(1));

    // Kept outside, and read by an encoder that is submitted.
    const reading = device.createCommandEncoder();
    const read = await engine.encode(reading, run);
    await engine.write(w, weightsOf(2));
    device.queue.submit([reading.finish()]);
    read.submitted();
    // As every kernel that reads the weights themselves: what they hold when the encoder is submitted.
    expect([...(await read.result.data())]).toEqual(expected(2));
    read.result.dispose();
    result.dispose();
    expect((await layer.measure()).values).toEqual(expected(2));
  });
});
