/** What is under way keeps the values of its call: tensors may be disposed of, arrays changed, buffers used again. */
import { type Engine, type Tensor, TensorError } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { makeTarget, readTexture } from "../support/texture.js";

const SHAPE = [1, 1, 2, 2];

/** With nothing compiled: on an engine of its own every first operation waits for its kernels. */
const fresh = async (engine: Engine): Promise<Engine> => await createEngine({ device: deviceOf(engine), poison: true });

const tripled = (engine: Engine, x: Tensor, three: Tensor): Tensor => engine.conv2d(x, three, { solver: "direct" });

describe("engine.write", () => {
  gpuTest("of a tensor that is disposed of at once leaves whoever has its memory next alone", async ({ engine }) => {
    using own = await fresh(engine);
    for (const waiting of [false, true]) {
      const x = own.tensor([1, 2, 3, 4], SHAPE);
      using three = own.tensor([3], [1, 1, 1, 1]);
      const y = waiting ? tripled(own, x, three) : undefined;
      const written = own.write(x, [9, 9, 9, 9]);
      x.dispose();
      y?.dispose();
      using z = own.tensor([10, 20, 30, 40], SHAPE);
      using copy = own.activate(z, "relu");
      await written;
      expect([...(await z.data())]).toEqual([10, 20, 30, 40]);
      expect([...(await copy.data())]).toEqual([10, 20, 30, 40]);
    }
  });

  gpuTest("takes the values at the call", async ({ engine }) => {
    using own = await fresh(engine);
    using x = own.tensor([0, 0, 0, 0], SHAPE);
    using three = own.tensor([3], [1, 1, 1, 1]);
    for (const values of [Float32Array.of(1, 2, 3, 4), [1, 2, 3, 4]]) {
      using y = tripled(own, x, three);
      const written = own.write(x, values);
      values.fill(0);
      await written;
      expect([...(await x.data())]).toEqual([1, 2, 3, 4]);
      await y.data();
      await own.write(x, [0, 0, 0, 0]);
    }
  });

  gpuTest("keeps the order of the calls, compiled or not, awaited or not", async ({ engine }) => {
    using own = await fresh(engine);
    using x = own.tensor([1, 1, 1, 1], SHAPE);
    using three = own.tensor([3], [1, 1, 1, 1]);
    for (let round = 0; round < 3; round++) {
      const writes: Promise<void>[] = [];
      const results: Tensor[] = [];
      for (let i = 0; i < 5; i++) {
        writes.push(own.write(x, [i, i, i, i + round]));
        results.push(tripled(own, x, three));
        if (i === 2) writes.push(own.write(x, [7, 7, 7, 7]), own.write(three, [3]));
      }
      const values = await Promise.all(results.map((y) => y.data()));
      expect(values.map((each) => [...each])).toEqual(
        [0, 1, 2, 3, 4].map((i) => [i, i, i, i + round].map((v) => 3 * v)),
      );
      await Promise.all(writes);
      for (const y of results) y.dispose();
    }
  });

  gpuTest("of what a waiting operation computes comes after it", async ({ engine }) => {
    using own = await fresh(engine);
    using x = own.tensor([1, 2, 3, 4], SHAPE);
    using three = own.tensor([3], [1, 1, 1, 1]);
    using y = tripled(own, x, three);
    const before = y.data();
    const written = own.write(y, [5, 6, 7, 8]);
    const after = y.data();
    expect([...(await before)]).toEqual([3, 6, 9, 12]);
    expect([...(await after)]).toEqual([5, 6, 7, 8]);
    await written;
  });

  gpuTest("of a wrapped buffer needs COPY_DST, and says so", async ({ engine }) => {
    const device = deviceOf(engine);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
    const buffers = [usage, usage | GPUBufferUsage.COPY_DST].map((flags) =>
      device.createBuffer({ size: 16, usage: flags }),
    );
    const [closed, open] = buffers.map((buffer) => engine.wrap(buffer, SHAPE));
    await expect(engine.write(closed, [1, 2, 3, 4])).rejects.toThrow(TensorError);
    await expect(engine.write(closed, [1, 2, 3, 4])).rejects.toThrow(
      /writing expects it to have GPUBufferUsage.COPY_DST/,
    );
    await engine.write(open, [1, 2, 3, 4]);
    expect([...(await open.data())]).toEqual([1, 2, 3, 4]);
    for (const tensor of [closed, open]) tensor.dispose();
    for (const buffer of buffers) buffer.destroy();
  });
});

describe("engine.draw", () => {
  const black = [0, 0, 0, 255];
  const white = [255, 255, 255, 255];

  for (const [name, change] of [
    [
      "disposed of",
      (x: Tensor): Promise<void> => {
        x.dispose();
        return Promise.resolve();
      },
    ],
    ["written to", (x: Tensor, own: Engine) => own.write(x, [0, 0, 0, 0])],
  ] as const) {
    gpuTest(
      `draws a tensor as it was at the call, though it is ${name} while the kernel compiles`,
      async ({ engine }) => {
        const device = deviceOf(engine);
        using own = await fresh(engine);
        const texture = makeTarget(device, 2, 2);
        const x = own.tensor([1, 1, 0, 1], SHAPE);
        const drawn = own.draw(x, texture);
        const changed = change(x, own);
        using z = own.tensor([0, 0, 0, 0], SHAPE);
        await Promise.all([drawn, changed]);
        expect(await readTexture(device, texture)).toEqual([
          [white, white],
          [black, white],
        ]);
        expect([...(await z.data())]).toEqual([0, 0, 0, 0]);
        await own.finish();
        texture.destroy();
      },
    );
  }

  gpuTest("of what is not computed yet waits for it, and for nothing that comes later", async ({ engine }) => {
    const device = deviceOf(engine);
    using own = await fresh(engine);
    const texture = makeTarget(device, 2, 2);
    using x = own.tensor([0, 1, 0, 1], SHAPE);
    using one = own.tensor([1], [1, 1, 1, 1]);
    const y = own.conv2d(x, one, { solver: "implicit-gemm" });
    const drawn = own.draw(y, texture);
    y.dispose();
    using five = own.tensor([5], [1]);
    using later = own.conv2d(x, one, { solver: "direct", bias: five });
    await drawn;
    expect(await readTexture(device, texture)).toEqual([
      [black, white],
      [black, white],
    ]);
    expect([...(await later.data())]).toEqual([5, 6, 5, 6]);
    texture.destroy();
  });

  gpuTest("rejects where the device refuses it", async ({ engine }) => {
    using own = await fresh(engine);
    using x = own.tensor([1, 1, 0, 1], SHAPE);
    const texture = makeTarget(deviceOf(engine), 2, 2);
    texture.destroy();
    await expect(own.draw(x, texture)).rejects.toThrow(/refused the drawing/);
    await expect(own.draw(x, texture)).rejects.toThrow(/refused the drawing/);
    await own.finish();
  });
});
