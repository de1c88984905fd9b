/** Operations recorded into the caller's own command encoder. */
import { ArgumentError, type Engine, type Tensor, TensorError } from "webgpu-conv";
import { accumulate } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

interface Layer {
  readonly x: Tensor;
  readonly w: Tensor;
}

/** A tensor of ones and a filter of ones: a padded convolution counts neighbours. */
function makeLayer(engine: Engine): Layer & Disposable {
  const x = engine.tensor(new Float32Array(16).fill(1), [1, 1, 4, 4]);
  const w = engine.tensor(new Float32Array(9).fill(1), [1, 1, 3, 3]);
  const dispose = (): void => {
    x.dispose();
    w.dispose();
  };
  return { x, w, [Symbol.dispose]: dispose };
}

const NEIGHBOURS = [4, 6, 6, 4, 6, 9, 9, 6, 6, 9, 9, 6, 4, 6, 6, 4];

describe("engine.encode", () => {
  gpuTest("computes where the caller's encoder is submitted, between the caller's own commands", async ({ engine }) => {
    const device = deviceOf(engine);
    using layer = makeLayer(engine);
    const source = device.createBuffer({ size: 64, usage: GPUBufferUsage.COPY_SRC, mappedAtCreation: true });
    new Float32Array(source.getMappedRange()).fill(2);
    source.unmap();
    const encoder = device.createCommandEncoder();
    // The caller writes the input, the engine computes, the caller copies the result out: one submission.
    encoder.copyBufferToBuffer(source, 0, layer.x.binding().buffer, 0, 64);
    const { result: y, submitted } = await engine.encode(encoder, () =>
      engine.conv2d(layer.x, layer.w, { padding: 1 }),
    );
    const staging = device.createBuffer({ size: 64, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    encoder.copyBufferToBuffer(y.binding().buffer, 0, staging, 0, 64);
    device.queue.submit([encoder.finish()]);
    submitted();
    await staging.mapAsync(GPUMapMode.READ);
    const doubled = NEIGHBOURS.map((count) => 2 * count);
    expect([...new Float32Array(staging.getMappedRange())]).toEqual(doubled);
    expect([...(await y.data())]).toEqual(doubled);
    y.dispose();
    staging.destroy();
    source.destroy();
  });

  gpuTest("comes after what was recorded before, chained and with gradients", async ({ engine }) => {
    const device = deviceOf(engine);
    using fresh = await createEngine({ device, poison: true });
    using layer = makeLayer(fresh);
    using first = fresh.conv2d(layer.x, layer.w, { padding: 1, solver: "implicit-gemm" });
    const encoder = device.createCommandEncoder();
    const { result, submitted } = await fresh.encode(encoder, () => {
      const second = fresh.conv2d(first, layer.w, { padding: 1 });
      const dw = fresh.conv2dWeightGradient(second, layer.x, [1, 1, 3, 3], { padding: 1 });
      second.dispose();
      return dw;
    });
    device.queue.submit([encoder.finish()]);
    submitted();
    using again = fresh.conv2d(first, layer.w, { padding: 1 });
    using wanted = fresh.conv2dWeightGradient(again, layer.x, [1, 1, 3, 3], { padding: 1 });
    expect([...(await result.data())]).toEqual([...(await wanted.data())]);
    result.dispose();
  });

  gpuTest("keeps memory from being used again before the caller has submitted", async ({ engine }) => {
    const device = deviceOf(engine);
    using fresh = await createEngine({ device });
    using layer = makeLayer(fresh);
    const input = fresh.tensor(new Float32Array(16).fill(1), [1, 1, 4, 4]);
    const encoder = device.createCommandEncoder();
    const { result, submitted } = await fresh.encode(encoder, () => fresh.conv2d(input, layer.w, { padding: 1 }));
    const { buffer } = input.binding();
    input.dispose();
    // Were the input's memory handed out now, this upload would come before the encoder runs.
    using later = fresh.tensor(new Float32Array(16).fill(7), [1, 1, 4, 4]);
    expect(later.binding().buffer).not.toBe(buffer);
    device.queue.submit([encoder.finish()]);
    submitted();
    submitted();
    expect([...(await result.data())]).toEqual(NEIGHBOURS);
    using reused = fresh.tensor(new Float32Array(16), [1, 1, 4, 4]);
    expect(reused.binding().buffer).toBe(buffer);
    result.dispose();
  });

  gpuTest("refuses results before they are submitted, and goes on", async ({ engine }) => {
    const device = deviceOf(engine);
    using layer = makeLayer(engine);
    const encoder = device.createCommandEncoder();
    const { result, submitted } = await engine.encode(encoder, () => engine.conv2d(layer.x, layer.w, { padding: 1 }));
    expect(() => engine.conv2d(result, layer.w)).toThrow(TensorError);
    await expect(result.data()).rejects.toThrow(/not known to be submitted.*submitted\(\)/);
    await expect(engine.check(result)).rejects.toThrow(TensorError);
    using other = engine.conv2d(layer.x, layer.w, { padding: 1 });
    expect([...(await other.data())]).toEqual(NEIGHBOURS);
    device.queue.submit([encoder.finish()]);
    submitted();
    expect([...(await result.data())]).toEqual(NEIGHBOURS);
    result.dispose();
  });

  gpuTest("refuses what it changes in place, likewise", async ({ engine }) => {
    const device = deviceOf(engine);
    using layer = makeLayer(engine);
    using change = engine.tensor(new Float32Array(9).fill(1), [1, 1, 3, 3]);
    const { w } = layer;
    const add = (): void => accumulate({ w }, { w: change });
    const options = { padding: 1, solver: { name: "winograd", config: { tile: 2 } } } as const;
    const layerOf = async (times: number): Promise<void> => {
      // Its filters are transformed, and kept from the second use on.
      using y = engine.conv2d(layer.x, w, options);
      expect([...(await y.data())]).toEqual(NEIGHBOURS.map((count) => times * count));
    };
    for (let i = 0; i < 3; i++) await layerOf(1);
    using sequence = await engine.compile(add);
    // A recording that throws changes nothing.
    const throwing = engine.encode(device.createCommandEncoder(), () => {
      add();
      throw new RangeError("enough");
    });
    await expect(throwing).rejects.toThrow(/enough/);
    await layerOf(1);
    for (const [times, record] of [
      [2, add],
      [3, () => sequence.run()],
    ] as const) {
      const encoder = device.createCommandEncoder();
      const { submitted } = await engine.encode(encoder, record);
      expect(() => engine.conv2d(layer.x, w)).toThrow(TensorError);
      expect(add).toThrow(/not known to be submitted/);
      await expect(w.data()).rejects.toThrow(/not known to be submitted/);
      device.queue.submit([encoder.finish()]);
      submitted();
      for (let i = 0; i < 3; i++) await layerOf(times);
    }
  });

  gpuTest("drops everything when the recording throws", async ({ engine }) => {
    const device = deviceOf(engine);
    using layer = makeLayer(engine);
    const encoder = device.createCommandEncoder();
    const made: Tensor[] = [];
    const failing = engine.encode(encoder, () => {
      made.push(engine.conv2d(layer.x, layer.w, { padding: 1 }));
      return engine.conv2d(layer.x, layer.w, { padding: -1 });
    });
    await expect(failing).rejects.toThrow(ArgumentError);
    await expect(made[0].data()).rejects.toThrow(/never computed/);
    made[0].dispose();
    using y = engine.conv2d(layer.x, layer.w, { padding: 1 });
    expect([...(await y.data())]).toEqual(NEIGHBOURS);
    device.queue.submit([encoder.finish()]);
  });

  gpuTest("refuses to wait within a recording", async ({ engine }) => {
    const device = deviceOf(engine);
    using layer = makeLayer(engine);
    const encoder = device.createCommandEncoder();
    const { result, submitted } = await engine.encode(encoder, () => ({
      attempts: Promise.allSettled([
        engine.finish(),
        engine.submit(),
        layer.x.data(),
        engine.write(layer.x, new Float32Array(16)),
        engine.encode(device.createCommandEncoder(), () => 0),
      ]),
    }));
    for (const attempt of await result.attempts) {
      expect(attempt).toMatchObject({ status: "rejected", reason: { name: "ArgumentError" } });
      expect(String((attempt as PromiseRejectedResult).reason)).toMatch(/while a callback records/);
    }
    device.queue.submit([encoder.finish()]);
    submitted();
    const waits = engine.encode(device.createCommandEncoder(), () => Promise.resolve(layer.x));
    await expect(waits).rejects.toThrow(/returned a promise; expected a function that calls operations/);
    await expect(engine.encode(layer as never, () => 0)).rejects.toThrow(
      /encoder is Object; expected a GPUCommandEnc/i,
    );
    expect([...(await layer.x.data())].every((value) => value === 1)).toBe(true);
  });
});
