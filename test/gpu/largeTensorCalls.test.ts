/** All that touches a tensor which the device cannot bind as a whole: it works, or it is a LimitError at the call. */
import { type Engine, LimitError, type Tensor } from "webgpu-conv";
import { interpolate } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { Random, reals } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { lose, newDevice } from "../support/losses.js";
import { onBindings } from "../support/smallEngine.js";
import { exactMismatch } from "../support/mismatch.js";
import { withLimits } from "../support/smallDevice.js";

const KIB = 2 ** 10;
/** 172,800 bytes. */
const SHAPE = [2, 3, 120, 60];
const SIZE = 43_200;
const VALUES = reals(new Random(1), SIZE);
const WEIGHTS = reals(new Random(2), 4 * 3 * 9);

const layer = (engine: Engine, x: Tensor, w: Tensor): Tensor => engine.conv2d(x, w, { padding: 1, activation: "relu" });

/** The layer's result on an engine that binds everything. */
async function expected(engine: Engine): Promise<Float32Array> {
  using x = engine.tensor(VALUES, SHAPE);
  using w = engine.tensor(WEIGHTS, [4, 3, 3, 3]);
  using y = layer(engine, x, w);
  return await y.data();
}

describe("what works", () => {
  gpuTest("write and read back", async ({ engine }) => {
    await onBindings(engine, 64 * KIB, async (small) => {
      using x = small.tensor(new Float32Array(SIZE), SHAPE);
      await small.write(x, VALUES);
      expect(await x.data()).toEqual(VALUES);
    });
  });

  gpuTest("a count of infinities and NaN", async ({ engine }) => {
    await onBindings(engine, 64 * KIB, async (small) => {
      for (const dtype of ["float32", "float16"] as const) {
        const values = VALUES.slice();
        values.set([NaN, -100, Infinity], 0);
        values[SIZE - 1] = NaN;
        using x = small.tensor(values, [1, 1, 3, SIZE / 3], { dtype });
        expect(await small.check(x)).toEqual({ infinite: 1, nan: 2, largest: 100 });
      }
    });
  });

  gpuTest("a compiled sequence, run twice", async ({ engine }) => {
    const wanted = await expected(engine);
    await onBindings(engine, 64 * KIB, async (small) => {
      using x = small.tensor(new Float32Array(SIZE), SHAPE);
      using w = small.tensor(WEIGHTS, [4, 3, 3, 3]);
      using sequence = await small.compile(() => layer(small, x, w));
      using y = sequence.result;
      sequence.run();
      expect((await y.data()).every((value) => value === 0)).toBe(true);
      await small.write(x, VALUES);
      sequence.run();
      expect(await y.data()).toEqual(wanted);
    });
  });

  gpuTest("the caller's own encoder", async ({ engine }) => {
    const wanted = await expected(engine);
    await onBindings(engine, 64 * KIB, async (small, { device }) => {
      using x = small.tensor(VALUES, SHAPE);
      using w = small.tensor(WEIGHTS, [4, 3, 3, 3]);
      const encoder = device.createCommandEncoder();
      const { result, submitted } = await small.encode(encoder, () => layer(small, x, w));
      device.queue.submit([encoder.finish()]);
      submitted();
      expect(await result.data()).toEqual(wanted);
      result.dispose();
    });
  });

  gpuTest("a caller's buffer, from an offset on", async ({ engine }) => {
    const wanted = await expected(engine);
    await onBindings(engine, 64 * KIB, async (small, { device }) => {
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
      const buffer = device.createBuffer({ size: 256 + 4 * SIZE, usage });
      device.queue.writeBuffer(buffer, 256, VALUES);
      using x = small.wrap(buffer, SHAPE, { offset: 256 });
      using w = small.tensor(WEIGHTS, [4, 3, 3, 3]);
      using y = layer(small, x, w);
      expect(await y.data()).toEqual(wanted);
      buffer.destroy();
    });
  });

  gpuTest("pictures, read as they are", async ({ engine }) => {
    const picture = {
      data: new Uint8ClampedArray(4 * 200 * 150).map((_, i) => (i * 7919) % 256),
      width: 200,
      height: 150,
    };
    const run = async (one: Engine): Promise<Float32Array> => {
      using x = one.image([picture, picture]);
      using w = one.tensor(WEIGHTS, [4, 3, 3, 3]);
      using y = one.conv2d(x, w, { padding: 1 });
      return await y.data();
    };
    const wanted = await run(engine);
    await onBindings(engine, 64 * KIB, async (small) => {
      expect(await run(small)).toEqual(wanted);
    });
  });

  gpuTest("weights that stay, packed once for all pieces", async ({ engine }) => {
    await onBindings(engine, 192 * KIB, async (small) => {
      const [values, weights] = [reals(new Random(4), 32 * 50 * 50), reals(new Random(5), 32 * 32 * 9)];
      using x = small.tensor(values, [1, 32, 50, 50]);
      using w = small.tensor(weights, [32, 32, 3, 3]);
      using whole = engine.tensor(values, [1, 32, 50, 50]);
      using same = engine.tensor(weights, [32, 32, 3, 3]);
      // Where bindings are small, another solver may serve.
      const shapes = { input: x.shape, weight: w.shape };
      const { solver } = small.explain("conv2d", shapes, { padding: 1 });
      using y = engine.conv2d(whole, same, { padding: 1, solver });
      const wanted = await y.data();
      for (let i = 0; i < 3; i++) {
        using again = small.conv2d(x, w, { padding: 1 });
        expect(exactMismatch(await again.data(), wanted)).toBeUndefined();
      }
    });
  });

  gpuTest("a device that is lost, with what is kept", async ({ engine }) => {
    const wanted = await expected(engine);
    const low = { maxStorageBufferBindingSize: 64 * KIB };
    const reacquire = async (): Promise<GPUDevice> => withLimits(await newDevice(), low).device;
    using small = await createEngine({ device: await reacquire(), reacquire });
    using x = small.tensor(VALUES, SHAPE, { keep: true });
    using w = small.tensor(WEIGHTS, [4, 3, 3, 3], { keep: true });
    using sequence = await small.compile(() => layer(small, x, w));
    using y = sequence.result;
    await lose(small);
    sequence.run();
    expect(await y.data()).toEqual(wanted);
    await small.snapshot([y]);
    await lose(small);
    expect(await y.data()).toEqual(wanted);
  });

  gpuTest("a time, and a label for profilers", async ({ engine }) => {
    const { device, violations } = withLimits(deviceOf(engine), { maxStorageBufferBindingSize: 64 * KIB });
    using small = await createEngine({ device, debug: true });
    using x = small.tensor(VALUES, SHAPE);
    using w = small.tensor(WEIGHTS, [4, 3, 3, 3]);
    const { milliseconds } = await small.time(() => layer(small, x, w).dispose());
    expect(milliseconds).toBeGreaterThan(0);
    expect(violations).toEqual([]);
  });

  gpuTest("activations, and the gradients of a prelu", async ({ engine }) => {
    const run = async (one: Engine): Promise<Float32Array[]> => {
      using x = one.tensor(VALUES, SHAPE);
      using slope = one.tensor([0.1, 0.2, 0.3], [3]);
      const activation = { name: "prelu", slope } as const;
      using y = one.activate(x, activation);
      using dx = one.activationGradient(y, { activation, preActivation: x });
      using ds = one.slopeGradient(y, { activation, preActivation: x });
      return await Promise.all([y.data(), dx.data(), ds.data()]);
    };
    const wanted = await run(engine);
    await onBindings(engine, 64 * KIB, async (small) => {
      expect(await run(small)).toEqual(wanted);
    });
  });

  gpuTest("a locally connected layer, with its gradients", async ({ engine }) => {
    const run = async (one: Engine): Promise<Float32Array[]> => {
      using x = one.tensor(VALUES, SHAPE);
      using w = one.tensor(reals(new Random(3), 118 * 58 * 2 * 3 * 9), [118, 58, 2, 3, 3, 3]);
      using y = one.locallyConnected2d(x, w);
      using dx = one.locallyConnected2dInputGradient(y, w, SHAPE);
      using dw = one.locallyConnected2dWeightGradient(y, x, w.shape);
      return await Promise.all([y.data(), dx.data(), dw.data()]);
    };
    const wanted = await run(engine);
    await onBindings(engine, 64 * KIB, async (small) => {
      expect(await run(small)).toEqual(wanted);
    });
  });

  gpuTest("work by tiles, whose tiles stay within a binding", async ({ engine }) => {
    await onBindings(engine, 64 * KIB, async (small) => {
      const shape = [3, 120, 60];
      const values = VALUES.slice(0, SIZE / 2);
      using w = small.tensor(WEIGHTS, [4, 3, 3, 3]);
      const { values: tiled } = await small.convolveTiled({ shape, values }, [{ weight: w, padding: 1 }]);
      using x = small.tensor(values, shape);
      using y = small.conv2d(x, w, { padding: 1 });
      expect(tiled).toEqual(await y.data());
    });
  });
});

describe("what is refused", () => {
  gpuTest("binding() and draw(), which take a tensor as one binding", async ({ engine }) => {
    await onBindings(engine, 64 * KIB, async (small, { device }) => {
      using x = small.tensor(VALUES, SHAPE);
      const message =
        /takes a tensor as one binding, and that of shape \[2, 3, 120, 60\] has 172,800 bytes; the device binds 65,536/;
      expect(() => x.binding()).toThrow(LimitError);
      expect(() => x.binding()).toThrow(message);
      const usage = GPUTextureUsage.RENDER_ATTACHMENT;
      const texture = device.createTexture({ size: [60, 120], format: "rgba8unorm", usage });
      await expect(small.draw(x, texture)).rejects.toThrow(message);
      texture.destroy();
    });
  });

  gpuTest("an operation of networks whose result cannot be bound", async ({ engine }) => {
    await onBindings(engine, 64 * KIB, async (small) => {
      using x = small.tensor(VALUES.subarray(0, 2 * 60 * 60), [1, 2, 60, 60]);
      expect(() => interpolate(x, { scaleFactor: 2 })).toThrow(LimitError);
      expect(() => interpolate(x, { scaleFactor: 2 })).toThrow(
        "interpolate takes a tensor as one binding, and that of shape [1, 2, 120, 120] has 115,200 bytes; the device binds 65,536",
      );
      using less = interpolate(x, { scaleFactor: 0.5 });
      expect((await less.data())[0]).toBe(VALUES[0]);
    });
  });

  gpuTest("a caller's buffer that cannot be copied, where parts must be", async ({ engine }) => {
    await onBindings(engine, 64 * KIB, async (small, { device }) => {
      const buffer = device.createBuffer({ size: 4 * SIZE, usage: GPUBufferUsage.STORAGE });
      using x = small.wrap(buffer, SHAPE);
      using w = small.tensor(WEIGHTS, [4, 3, 3, 3]);
      expect(() => layer(small, x, w)).toThrow(/running in pieces expects it to have GPUBufferUsage.COPY_SRC/);
      buffer.destroy();
      await Promise.resolve();
    });
  });

  gpuTest("a tensor beyond what a buffer may be", async ({ engine }) => {
    const low = { maxStorageBufferBindingSize: 64 * KIB, maxBufferSize: 128 * KIB };
    const { device } = withLimits(deviceOf(engine), low);
    using small = await createEngine({ device });
    expect(small.adapter.maxTensorBytes).toBe(128 * KIB);
    expect(() => small.tensor(VALUES, SHAPE)).toThrow(
      /needs 172,800 bytes; .* at most 131,072 bytes \(maxBufferSize\)/,
    );
  });
});
