/** Copies of what was computed: values come back from them, and a loop of gradient steps goes on from them. */
import { ArgumentError, DeviceLostError, type Engine, type Tensor } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { lose, makeLayer, SHAPE, TRIPLED, valuesOf } from "../support/losses.js";

describe("snapshots", () => {
  gpuTest("bring results and images back as they were then", async () => {
    using layer = await makeLayer();
    const { engine, run } = layer;
    const y = run();
    const pixels = new Uint8ClampedArray([255, 0, 51, 255, 0, 102, 255, 255]);
    const image = engine.image({ data: pixels, width: 2, height: 1 });
    const seen = await valuesOf(image);
    await engine.snapshot([y, image]);
    await engine.write(y, [0, 0, 0, 0]);
    expect(await lose(engine)).toEqual({ restored: 4, lost: [] });
    expect(await valuesOf(y)).toEqual(TRIPLED);
    expect(await valuesOf(image)).toEqual(seen);
    // What is read while the device is lost comes from the copy, unless it is older.
    const reads = [y.data(), image.data()];
    deviceOf(engine).destroy();
    expect((await Promise.all(reads)).map((values) => [...values])).toEqual([TRIPLED, seen]);
    await engine.write(y, [2, 2, 2, 2]);
    const newer = y.data();
    deviceOf(engine).destroy();
    await expect(newer).rejects.toThrow(DeviceLostError);
    expect(await valuesOf(y)).toEqual(TRIPLED);
    // One that a loss interrupts leaves the older.
    await engine.write(y, [1, 1, 1, 1]);
    const interrupted = engine.snapshot(y);
    deviceOf(engine).destroy();
    await expect(interrupted).rejects.toThrow(DeviceLostError);
    expect(await valuesOf(y)).toEqual(TRIPLED);
  });

  gpuTest("leave what the host wrote since they were called to a tensor that keeps it", async () => {
    using layer = await makeLayer();
    const { engine, x } = layer;
    const snapshot = engine.snapshot(x);
    const written = engine.write(x, [5, 6, 7, 8]);
    await Promise.all([snapshot, written]);
    await lose(engine);
    expect(await valuesOf(x)).toEqual([5, 6, 7, 8]);
    const [older, newer] = [engine.snapshot(x), engine.snapshot(x)];
    await Promise.all([older, newer]);
    await lose(engine);
    expect(await valuesOf(x)).toEqual([5, 6, 7, 8]);
  });

  gpuTest("are refused where nothing would be restored", async ({ engine }) => {
    using x = engine.tensor([1], [1], { keep: true });
    await expect(engine.snapshot(x)).rejects.toThrow(ArgumentError);
    await expect(engine.snapshot(x)).rejects.toThrow(/does not recover.*recover: true/);
    await expect(engine.snapshot([{} as Tensor])).rejects.toThrow(/expected a tensor/);
    expect(() => engine.tensor([1], [1], { keep: 1 as unknown as boolean })).toThrow(/keep is 1; expected a boolean/);
  });

  const STEPS = 4;
  const EVERY = 2;

  /** A chain of steps whose values grow apart in the last bits; returns the bits at its end. */
  async function train(engine: Engine, interrupt: (step: number) => Promise<void>): Promise<readonly number[]> {
    const x = engine.tensor([0.3, -1.7, 2.9, 0.11], SHAPE, { keep: true });
    let w = engine.tensor([0.7], [1, 1, 1, 1], { keep: true });
    let saved = { step: 0, w };
    for (let step = 0; step < STEPS;) {
      try {
        const y = engine.conv2d(x, w, { activation: "tanh" });
        const { weight } = engine.conv2dBackward(y, x, w);
        const next = engine.conv2d(weight, w, { residual: w });
        await interrupt(step);
        if ((step + 1) % EVERY === 0) {
          await engine.snapshot(next);
          saved = { step: step + 1, w: next };
        }
        w = next;
        step++;
      } catch (error) {
        if (!(error instanceof DeviceLostError)) throw error;
        ({ step, w } = saved);
      }
    }
    try {
      return await valuesOf(w);
    } finally {
      await engine.finish().catch(() => undefined);
    }
  }

  gpuTest("a loop of gradient steps ends with the same bits, wherever it is interrupted", async () => {
    using plain = await createEngine({ recover: true });
    const expected = await train(plain, () => Promise.resolve());
    for (let at = 0; at < STEPS; at++) {
      for (const wait of [false, true]) {
        using engine = await createEngine({ recover: true });
        let losses = 0;
        const values = await train(engine, async (step) => {
          if (step !== at || losses++ > 0) return;
          const { lost } = engine;
          deviceOf(engine).destroy();
          if (wait) await (await lost).recovered;
        });
        expect(losses).toBeGreaterThan(0);
        expect([at, values]).toEqual([at, expected]);
      }
    }
  });
});
