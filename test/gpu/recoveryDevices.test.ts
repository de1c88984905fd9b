/** Where the next device comes from, after one was lost, and what holds where there is none. */
import { DeviceLostError, type Engine } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { createEngine as createForwardEngine } from "../../src/forward.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { newDevice, SHAPE, valuesOf, X } from "../support/losses.js";

describe("where the device comes from", () => {
  gpuTest("an engine for forward passes recovers, too", async () => {
    using engine = await createForwardEngine({ device: await newDevice(), reacquire: newDevice });
    const x = engine.tensor(X, SHAPE, { keep: true });
    const y = engine.conv2d(x, x, { padding: 1 });
    const before = await valuesOf(y);
    await engine.snapshot([y]);
    engine.device?.destroy();
    expect(await (await engine.lost).recovered).toEqual({ restored: 2, lost: [] });
    expect(await valuesOf(y)).toEqual(before);
    expect(await valuesOf(engine.conv2d(x, x, { padding: 1 }))).toEqual(before);
  });

  gpuTest("a caller's device needs a function that gives another", async ({ engine: shared }) => {
    const device = deviceOf(shared);
    const make = (options: object): Promise<Engine> => createEngine(options);
    await expect(make({ device, recover: true })).rejects.toThrow(/a device is given; expected reacquire too/);
    await expect(make({ recover: 1 })).rejects.toThrow(/recover is 1; expected a boolean/);
    await expect(make({ reacquire: 1 })).rejects.toThrow(/reacquire is 1; expected a function/);
    await expect(make({ recover: false, reacquire: newDevice })).rejects.toThrow(/expected one of the two/);
  });

  gpuTest("what is handed in is checked; without a device everything says so", async () => {
    const first = await newDevice();
    const engine = await createEngine({ device: first, reacquire: () => Promise.resolve({} as GPUDevice) });
    const x = engine.tensor([1, 2], [2], { keep: true });
    const { lost } = engine;
    first.destroy();
    const { recovered } = await lost;
    const waiting = engine.finish();
    const late = engine.activate(x, "relu");
    await expect(recovered).rejects.toThrow(
      /there is no other: .*what reacquire gives is Object; expected a GPUDevice/,
    );
    await expect(waiting).rejects.toThrow(DeviceLostError);
    await expect(late.data()).rejects.toThrow(DeviceLostError);
    // Its copy is there, for another engine.
    expect(await valuesOf(x)).toEqual([1, 2]);
    expect(() => engine.tensor([1], [1])).toThrow(DeviceLostError);
    await expect(engine.write(x, [1, 2])).rejects.toThrow(DeviceLostError);
    engine.dispose();
  });

  gpuTest("disposing of the engine ends a recovery", async () => {
    const made: GPUDevice[] = [];
    const engine = await createEngine({
      recover: true,
      reacquire: async () => {
        made.push(await newDevice());
        return made[made.length - 1];
      },
    });
    engine.tensor([1], [1], { keep: true });
    deviceOf(engine).destroy();
    const { recovered } = await engine.lost;
    const waiting = engine.finish();
    engine.dispose();
    await expect(waiting).rejects.toThrow(/disposed/);
    await expect(recovered).rejects.toThrow(DeviceLostError);
    for (const device of made) device.destroy();
  });

  gpuTest("engines that do not recover say how they were lost, and when they were disposed of", async () => {
    const engine = await createEngine();
    const x = engine.tensor([1], [1]);
    const { lost } = engine;
    deviceOf(engine).destroy();
    expect(await lost).toMatchObject({ reason: "destroyed", recovered: undefined });
    await expect(x.data()).rejects.toThrow(DeviceLostError);
    engine.dispose();
    const other = await createEngine({ recover: true });
    const told = other.lost;
    other.dispose();
    expect(await told).toMatchObject({ reason: "destroyed", recovered: undefined });
    using cpu = await createEngine({ backend: "cpu", recover: true });
    expect(cpu.lost).toBeInstanceOf(Promise);
    await cpu.snapshot(cpu.tensor([1], [1]));
  });
});
