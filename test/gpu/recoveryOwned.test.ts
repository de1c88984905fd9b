/** What belonged to a device that was lost: sequences go on, a caller's own objects are refused, tuning starts again. */
import { type Compiled, DeviceError, DeviceLostError, memoryStore, type Tensor, TensorError } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { failingDevice } from "../support/failingDevice.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { lose, makeLayer, newDevice, SHAPE, TRIPLED, valuesOf, X } from "../support/losses.js";

/** Channels of a layer whose weights take 2 KB, and its results 8. */
const LARGE = 1000;

describe("what belongs to the lost device", () => {
  const texture = (device: GPUDevice): GPUTexture =>
    device.createTexture({ size: [2, 2], format: "rgba8unorm", usage: GPUTextureUsage.RENDER_ATTACHMENT });

  gpuTest("compiled sequences go on, their results once they have run", async () => {
    using layer = await makeLayer();
    const { engine, x, run } = layer;
    const input = engine.tensor(X, SHAPE);
    using sequence: Compiled<Tensor> = await engine.compile(() => {
      using between = run(input);
      using after = run(between);
      return engine.activate(after, "relu");
    });
    sequence.run();
    expect(await valuesOf(sequence.result)).toEqual([9, 18, 27, 36]);
    await engine.snapshot(sequence.result);
    expect((await lose(engine))?.lost).toMatchObject([{ made: expect.stringContaining("uploaded") as string }]);
    expect(await valuesOf(sequence.result)).toEqual([9, 18, 27, 36]);
    // Its operand had no copy.
    sequence.run();
    await expect(sequence.result.data()).rejects.toThrow(/uploaded.*was lost/s);
    await engine.write(input, [1, 1, 1, 1]);
    sequence.run();
    expect(await valuesOf(sequence.result)).toEqual([9, 9, 9, 9]);
    await lose(engine).then(() => engine.finish().catch(() => undefined));
    const written = engine.write(input, X);
    sequence.run();
    await written;
    expect(await valuesOf(sequence.result)).toEqual([9, 18, 27, 36]);
    // While it replays, and while it is not there.
    sequence.run();
    deviceOf(engine).destroy();
    await engine.lost;
    const again = engine.write(input, [2, 2, 2, 2]);
    sequence.run();
    await again;
    expect(await valuesOf(sequence.result)).toEqual([18, 18, 18, 18]);
    x.dispose();
    input.dispose();
    expect(() => sequence.run()).toThrow(TensorError);
    await lose(engine);
    expect(() => sequence.run()).toThrow(TensorError);
    const { liveTensors } = engine.memory();
    expect(liveTensors).toBe(2);
  });

  gpuTest("a compilation that a loss interrupts goes on on the next device", async () => {
    using layer = await makeLayer();
    const { engine, run } = layer;
    const compiling = engine.compile(() => run());
    deviceOf(engine).destroy();
    using sequence = await compiling;
    sequence.run();
    expect(await valuesOf(sequence.result)).toEqual(TRIPLED);
  });

  // The engine's parts hear of a loss one after the other: in that moment some know of it, and some do not yet.
  type Call = (layer: Awaited<ReturnType<typeof makeLayer>>, sequence: Compiled<Tensor>) => () => Promise<number[]>;
  const CALLS: Readonly<Record<string, Call>> = {
    "an operation": ({ run }) => {
      const y = run();
      return () => valuesOf(y);
    },
    "a compilation": ({ engine, run }) => {
      const compiling = engine.compile(() => run());
      return async () => {
        using compiled = await compiling;
        compiled.run();
        return await valuesOf(compiled.result);
      };
    },
    "a sequence": (_, sequence) => {
      sequence.run();
      return () => valuesOf(sequence.result);
    },
    "an upload": ({ engine }) => {
      const values = Float32Array.from(TRIPLED);
      const tensor = engine.tensor(values, SHAPE);
      values.fill(0);
      return () => valuesOf(tensor);
    },
    "a write": ({ engine, x }) => {
      const written = engine.write(x, TRIPLED);
      return async () => {
        await written;
        return await valuesOf(x);
      };
    },
  };
  for (const [name, call] of Object.entries(CALLS)) {
    gpuTest(`${name} that is called as soon as the device tells of its loss waits for the next one`, async () => {
      using layer = await makeLayer();
      const device = deviceOf(layer.engine);
      using sequence = await layer.engine.compile(() => layer.run());
      const called = device.lost.then(() => call(layer, sequence));
      device.destroy();
      const values = await called;
      expect(await values()).toEqual(TRIPLED);
    });
  }

  gpuTest(
    "a sequence for which the next device has no room is recorded once more, unless it is disposed of",
    async () => {
      const [first, second] = [await newDevice(), failingDevice(await newDevice())];
      second.faults.noRoomFor = (bytes) => bytes > 4096;
      using engine = await createEngine({ device: first, reacquire: () => Promise.resolve(second.device) });
      const x = engine.tensor(X, SHAPE, { keep: true });
      const w = engine.tensor(new Float32Array(LARGE).fill(2), [LARGE, 1, 1, 1], { keep: true, dtype: "float16" });
      const half = engine.tensor(X, SHAPE, { keep: true, dtype: "float16" });
      await engine.finish();
      const { liveBytes } = engine.memory();
      const make = () => engine.compile(() => engine.conv2d(half, w, { solver: "direct" }));
      const [kept, disposed] = [await make(), await make()];
      first.destroy();
      await (
        await engine.lost
      ).recovered;
      await engine.finish().catch(() => undefined);
      second.faults.noRoomFor = () => false;
      for (const sequence of [kept, disposed]) {
        expect(() => sequence.run()).toThrow(
          /could not be compiled on the new device.*out of memory.*tries once more/s,
        );
      }
      disposed.dispose();
      disposed.result.dispose();
      // Until it is there.
      for (let there = false; !there; await new Promise((resume) => setTimeout(resume, 5))) {
        try {
          kept.run();
          there = true;
        } catch (error) {
          expect(error).toBeInstanceOf(DeviceError);
        }
      }
      expect((await valuesOf(kept.result)).slice(0, 4)).toEqual([2, 4, 6, 8]);
      kept.dispose();
      kept.result.dispose();
      await engine.finish();
      expect(await valuesOf(x)).toEqual(X);
      expect(engine.memory().liveBytes).toBe(liveBytes);
    },
  );

  gpuTest("a caller's encoder, canvas, buffer and clock are refused, and those of the next device serve", async () => {
    using layer = await makeLayer();
    const { engine, run } = layer;
    const old = deviceOf(engine);
    const buffer = old.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE });
    const wrapped = engine.wrap(buffer, SHAPE);
    const encoded = await engine.encode(old.createCommandEncoder(), () => run());
    const waits = [
      engine.encode(old.createCommandEncoder(), () => run()),
      engine.draw(run(), texture(old)),
      engine.time(() => void run()),
      engine.check(run()),
    ];
    old.destroy();
    for (const outcome of await Promise.allSettled(waits)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: expect.any(DeviceLostError) as unknown });
    }
    await (
      await engine.lost
    ).recovered;
    encoded.submitted();
    await expect(encoded.result.data()).rejects.toThrow(DeviceLostError);
    await expect(wrapped.data()).rejects.toThrow(/a caller's buffer, .*was lost/);
    await engine.finish().catch(() => undefined);
    const device = deviceOf(engine);
    const encoder = device.createCommandEncoder();
    const { result, submitted } = await engine.encode(encoder, () => run());
    device.queue.submit([encoder.finish()]);
    submitted();
    expect(await valuesOf(result)).toEqual(TRIPLED);
    await engine.draw(result, texture(device));
    expect((await engine.time(() => void run())).milliseconds).toBeGreaterThanOrEqual(0);
    expect(await engine.check(result)).toMatchObject({ nan: 0, largest: 12 });
  });

  gpuTest("tuning goes on on the next device", async () => {
    const warnings: string[] = [];
    const onWarning = (message: string): void => void warnings.push(message);
    using layer = await makeLayer({ tune: "first-use", tuningStore: memoryStore(), onWarning });
    const { engine, x, three } = layer;
    const y = engine.conv2d(x, three);
    await engine.submit();
    await new Promise((resume) => setTimeout(resume, 20));
    await lose(engine);
    await engine.tuning.settled();
    expect(engine.tuning.export().entries.length).toBe(1);
    await expect(y.data()).rejects.toThrow(DeviceLostError);
    const asked = engine.tuning.tune("conv2d", { input: SHAPE, weight: [1, 1, 1, 1] });
    deviceOf(engine).destroy();
    // It began on the lost device, or waited for the next.
    await asked.catch((error: unknown) => expect(error).toBeInstanceOf(DeviceLostError));
    expect(await valuesOf(layer.run())).toEqual(TRIPLED);
  });
});
