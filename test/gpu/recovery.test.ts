/** A device that is lost: an engine that recovers goes on on another one, and says what did not come back. */
import { DeviceLostError, TensorError } from "webgpu-conv";
import { describe, expect } from "vitest";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { lose, makeLayer, newDevice, SHAPE, TRIPLED, valuesOf, X } from "../support/losses.js";

describe("an engine that recovers", () => {
  gpuTest("while idle, restores what has a copy, and says what has none and where it was made", async () => {
    using layer = await makeLayer();
    const { engine, x, run } = layer;
    const y = run();
    expect(await valuesOf(y)).toEqual(TRIPLED);
    const before = engine.memory().liveBytes;
    const old = engine.device;
    const recovery = await lose(engine);
    expect(engine.device).not.toBe(old);
    expect(recovery).toMatchObject({ restored: 2, lost: [{ shape: SHAPE, dtype: "float32" }] });
    expect(recovery?.lost[0].made).toMatch(
      /shape \[1, 1, 2, 2\] in float32, y of conv2d forward 1x2x2 -> 1, 1x1, made at .*losses/,
    );
    expect(await valuesOf(x)).toEqual(X);
    await expect(y.data()).rejects.toThrow(DeviceLostError);
    await expect(y.data()).rejects.toThrow(
      /y of conv2d forward.*was lost: the device was lost \(destroyed\).*keep: true/s,
    );
    // What is computed from it has its error; everything else goes on.
    await expect(run(y).data()).rejects.toThrow(/was lost/);
    expect(await valuesOf(run())).toEqual(TRIPLED);
    await expect(engine.finish()).rejects.toThrow(/a tensor had no copy/);
    await engine.finish();
    await engine.write(y, [1, 1, 1, 1]);
    expect(await valuesOf(run(y))).toEqual([3, 3, 3, 3]);
    // The results that were not disposed of, in classes of 256 bytes.
    expect(engine.memory().liveBytes).toBeLessThanOrEqual(before + 4 * 256);
  });

  gpuTest("with copies of all loses nothing: finish() has nothing to tell", async () => {
    using layer = await makeLayer();
    expect(await lose(layer.engine)).toEqual({ restored: 2, lost: [] });
    await layer.engine.finish();
    expect(layer.engine.memory().liveTensors).toBe(2);
  });

  gpuTest("while kernels compile, work is recorded or read, rejects that and goes on", async () => {
    for (const warm of [false, true]) {
      for (const submitted of [false, true]) {
        using layer = await makeLayer();
        const { engine, x, run } = layer;
        if (warm) await run().data();
        const y = run();
        if (submitted) await engine.submit();
        const [ofResult, ofKept] = [y.data(), x.data()];
        deviceOf(engine).destroy();
        await expect(ofResult).rejects.toThrow(DeviceLostError);
        expect([...(await ofKept)]).toEqual(X);
        expect(await valuesOf(run())).toEqual(TRIPLED);
      }
    }
  });

  gpuTest("what is called while there is no device waits for one, in order", async () => {
    using layer = await makeLayer();
    const { engine, x, three, run } = layer;
    deviceOf(engine).destroy();
    await engine.lost;
    expect(() => engine.wrap({} as GPUBuffer, [1])).toThrow(/another one is not there yet.*recovered/);
    expect(() => x.binding()).toThrow(DeviceLostError);
    const early = run();
    const values = new Float32Array([1, 1, 1, 1]);
    const uploaded = engine.tensor(values, SHAPE);
    values.fill(9);
    const written = engine.write(x, [2, 2, 2, 2]);
    const late = run();
    const dropped = run();
    const read = dropped.data();
    dropped.dispose();
    const gone = run();
    gone.dispose();
    const wrong = engine.conv2d(x, three, { solver: { name: "direct", config: { nothing: 1 } } });
    const compiled = engine.compile(() => run());
    expect(await valuesOf(early)).toEqual(TRIPLED);
    expect(await valuesOf(uploaded)).toEqual([1, 1, 1, 1]);
    await written;
    expect(await valuesOf(late)).toEqual([6, 6, 6, 6]);
    expect([...(await read)]).toEqual([6, 6, 6, 6]);
    await expect(wrong.data()).rejects.toThrow(/nothing/);
    await expect(gone.data()).rejects.toThrow(TensorError);
    using sequence = await compiled;
    sequence.run();
    expect(await valuesOf(sequence.result)).toEqual([6, 6, 6, 6]);
  });

  gpuTest("gets over three losses in a row, and over losses while it recovers", async ({ engine: shared }) => {
    let devices = 0;
    using layer = await makeLayer({
      reacquire: async () => {
        const device = await newDevice();
        // The first of each loss is lost at once, the second while tensors are restored.
        if (++devices % 3 === 1) device.destroy();
        if (devices % 3 === 2) queueMicrotask(() => device.destroy());
        return device;
      },
    });
    expect(deviceOf(shared)).toBeDefined();
    for (let i = 1; i <= 3; i++) {
      const { lost } = layer.engine;
      deviceOf(layer.engine).destroy();
      const { recovered } = await lost;
      // Called while there is none, it waits for the device that stays.
      using early = layer.run();
      expect(await recovered).toEqual({ restored: 2, lost: [] });
      expect(devices).toBe(3 * i);
      expect(await valuesOf(early)).toEqual(TRIPLED);
      using y = layer.run();
      expect(await valuesOf(y)).toEqual(TRIPLED);
    }
  });

  gpuTest("tells how far work is, and lets it be called off", async () => {
    using layer = await makeLayer();
    const { engine, run } = layer;
    const told: number[] = [];
    await engine.finish({ onProgress: ({ done, total }) => void told.push(done / total) });
    expect(told.at(-1)).toBe(1);
    const y = run();
    const signal = AbortSignal.abort(new Error("no longer wanted"));
    await expect(y.data({ signal })).rejects.toThrow(/no longer wanted/);
    await lose(engine);
    expect(await valuesOf(run())).toEqual(TRIPLED);
  });

  gpuTest("keeps the copies that write() replaced, and those of float16", async () => {
    using layer = await makeLayer();
    const { engine, x } = layer;
    const half = engine.tensor([1, -0.5, 65504], [3], { dtype: "float16", keep: true });
    const empty = engine.tensor([], [0, 3], { keep: true });
    await engine.write(x, [5, 6, 7, 8]);
    await lose(engine);
    expect(await valuesOf(x)).toEqual([5, 6, 7, 8]);
    expect(await valuesOf(half)).toEqual([1, -0.5, 65504]);
    expect(await valuesOf(empty)).toEqual([]);
    const written = engine.write(x, [9, 9, 9, 9]);
    deviceOf(engine).destroy();
    await written;
    expect(await valuesOf(x)).toEqual([9, 9, 9, 9]);
  });
});
