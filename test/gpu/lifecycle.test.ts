/** Tensors and memory: who holds what, and what comes back. */
import { ConvError, TensorError } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { countCalls } from "../support/countingDevice.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const ones = (count: number): Float32Array => new Float32Array(count).fill(1);

describe("tensors", () => {
  gpuTest("give back what was put in, as a copy", async ({ engine }) => {
    const values = Float32Array.of(1.5, -2, 0, 3e38, 1e-40, Infinity);
    using tensor = engine.tensor(values, [2, 3]);
    values.fill(7);
    const first = await tensor.data();
    expect([...first]).toEqual([1.5, -2, 0, Math.fround(3e38), Math.fround(1e-40), Infinity]);
    first.fill(9);
    expect((await tensor.data())[0]).toBe(1.5);
    expect(tensor).toMatchObject({ shape: [2, 3], size: 6, dtype: "float32", disposed: false });
  });

  gpuTest("take arrays, typed arrays and views", async ({ engine }) => {
    using fromList = engine.tensor([1, 2, 3], [3]);
    using fromDoubles = engine.tensor(Float64Array.of(1, 2, 3), [3]);
    using fromView = engine.tensor(Float32Array.of(0, 1, 2, 3, 4).subarray(1, 4), [3]);
    for (const tensor of [fromList, fromDoubles, fromView]) expect([...(await tensor.data())]).toEqual([1, 2, 3]);
  });

  gpuTest("may be disposed of twice, and then not be read", async ({ engine }) => {
    const tensor = engine.tensor([1], [1]);
    tensor.dispose();
    tensor.dispose();
    expect(tensor.disposed).toBe(true);
    await expect(tensor.data()).rejects.toThrow(TensorError);
    await expect(tensor.data()).rejects.toThrow(/tensor of shape \[1\] was disposed/);
  });

  gpuTest("are disposed of by `using`", ({ engine }) => {
    const before = engine.memory().liveTensors;
    {
      using tensor = engine.tensor([1], [1]);
      expect(engine.memory().liveTensors).toBe(before + 1);
      expect(tensor.disposed).toBe(false);
    }
    expect(engine.memory().liveTensors).toBe(before);
  });

  gpuTest("may be disposed of as soon as they were asked for, whoever reuses their memory", async ({ engine }) => {
    const first = engine.tensor(ones(64), [64]);
    const read = first.data();
    first.dispose();
    using second = engine.tensor(new Float32Array(64).fill(2), [64]);
    expect([...(await read)]).toEqual([...ones(64)]);
    expect((await second.data())[0]).toBe(2);
  });

  gpuTest("are read by many at once", async ({ engine }) => {
    using x = engine.tensor(ones(9), [1, 1, 3, 3]);
    using w = engine.tensor([2], [1, 1, 1, 1]);
    using y = engine.conv2d(x, w);
    const reads = await Promise.all([y.data(), x.data(), y.data(), w.data(), y.data()]);
    expect(reads.map(([value]) => value)).toEqual([2, 1, 2, 2, 2]);
  });
});

describe("memory", () => {
  gpuTest("is accounted for, and used again", async ({ engine }) => {
    const counted = countCalls(deviceOf(engine));
    using small = await createEngine({ device: counted.device });
    const start = small.memory();
    expect(start).toMatchObject({ liveBytes: 0, liveTensors: 0 });
    const first = small.tensor(ones(1000), [1000]);
    const second = small.tensor(ones(1000), [1000]);
    const { liveBytes } = small.memory();
    expect(liveBytes).toBeGreaterThanOrEqual(8000);
    expect(liveBytes).toBeLessThanOrEqual(8000 * 1.125);
    first.dispose();
    await small.finish();
    expect(small.memory()).toEqual({ liveBytes: liveBytes / 2, pooledBytes: liveBytes / 2, liveTensors: 1 });

    counted.calls.clear();
    const third = small.tensor(ones(1000), [1000]);
    expect(counted.calls.get("createBuffer")).toBeUndefined();
    expect(small.memory()).toEqual({ liveBytes, pooledBytes: 0, liveTensors: 2 });
    second.dispose();
    third.dispose();
    await small.finish();
    expect(small.memory()).toEqual({ liveBytes: 0, pooledBytes: liveBytes, liveTensors: 0 });
  });

  gpuTest("waits unused only up to poolBytes", async ({ engine }) => {
    using small = await createEngine({ device: deviceOf(engine), poolBytes: 8192 });
    const tensors = Array.from({ length: 5 }, () => small.tensor(ones(1024), [1024]));
    expect(small.memory()).toMatchObject({ liveBytes: 5 * 4096, pooledBytes: 0 });
    tensors.forEach((tensor) => tensor.dispose());
    await small.finish();
    expect(small.memory()).toMatchObject({ liveBytes: 0, pooledBytes: 8192 });
  });

  gpuTest("holds workspace only while the work waits", async ({ engine }) => {
    using small = await createEngine({ device: deviceOf(engine), poison: true });
    using dy = small.tensor(ones(4 * 64 * 64), [1, 4, 64, 64]);
    using x = small.tensor(ones(64 * 64), [1, 1, 64, 64]);
    const before = small.memory().liveBytes;
    const dw = small.conv2dWeightGradient(dy, x, [4, 1, 1, 1], { solver: "direct" });
    expect(small.memory().liveBytes).toBeGreaterThan(before + 256);
    expect([...(await dw.data())]).toEqual([4096, 4096, 4096, 4096]);
    expect(small.memory().liveBytes).toBe(before + 256);
    dw.dispose();
  });

  gpuTest("is all given back when the engine is disposed of; the caller's device lives on", async ({ engine }) => {
    const small = await createEngine({ device: deviceOf(engine) });
    small.tensor(ones(16), [16]);
    small.tensor(ones(16), [16]).dispose();
    small.dispose();
    expect(small.memory()).toEqual({ liveBytes: 0, pooledBytes: 0, liveTensors: 0 });
    using y = engine.tensor([3], [1]);
    expect([...(await y.data())]).toEqual([3]);
  });
});

describe("a read that waits when its engine is disposed of rejects", () => {
  gpuTest("on a device of the engine's own", async () => {
    const own = await createEngine();
    const read = own.tensor(ones(16), [16]).data();
    own.dispose();
    await expect(read).rejects.toThrow(ConvError);
  });

  gpuTest("on a caller's device", async ({ engine }) => {
    const small = await createEngine({ device: deviceOf(engine) });
    const read = small.tensor(ones(16), [16]).data();
    small.dispose();
    await expect(read).rejects.toThrow(ConvError);
  });

  gpuTest("while its kernels compile, which leaves the caller's device without an error", async ({ engine }) => {
    const small = await createEngine({ device: deviceOf(engine) });
    const x = small.tensor(ones(16), [1, 1, 4, 4]);
    // Compiled for this engine alone: each has kernels of its own.
    const y = small.conv2d(x, small.tensor([2], [1, 1, 1, 1]), { solver: "direct" });
    const read = y.data();
    small.dispose();
    await expect(read).rejects.toThrow(ConvError);
    await deviceOf(engine).queue.onSubmittedWorkDone();
  });
});
