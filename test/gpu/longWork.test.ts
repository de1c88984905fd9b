/** Long work: it reaches the device bit by bit, and tells how far it is. */
import { type Engine, type Progress, type Tensor } from "webgpu-conv";
import { describe, expect } from "vitest";
import { countCalls } from "../support/countingDevice.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import {
  CHANNELS,
  engineOfParts,
  expected,
  inputs,
  LONGEST,
  OPTIONS,
  reasonOf,
  SHAPE,
  withParts,
} from "../support/longWork.js";

describe("long work", () => {
  gpuTest("goes in parts, submitted one by one", async ({ engine: whole }) => {
    const values = await expected(whole, 1);
    const { device, calls } = countCalls(deviceOf(whole));
    using engine = engineOfParts(device, LONGEST);
    const { x, w } = inputs(engine);
    const shapes = { input: SHAPE, weight: [CHANNELS, CHANNELS, 3, 3] };
    const { dispatches } = engine.explain("conv2d", shapes, OPTIONS);
    expect(dispatches.length).toBeGreaterThan(10);
    for (const { milliseconds } of dispatches) expect(milliseconds).toBeLessThanOrEqual(LONGEST);
    await engine.finish();
    calls.clear();
    using y = engine.conv2d(x, w, OPTIONS);
    expect(await y.data()).toEqual(values);
    expect(calls.get("queue.submit")).toBeGreaterThan(10);
  });

  gpuTest("keeps its order among other work", async ({ engine: whole }) => {
    await withParts(whole, async (engine, { x, w }) => {
      using long = engine.conv2d(x, w, OPTIONS);
      using small = engine.tensor([1], [1, 1, 1, 1]);
      using one = engine.tensor([2], [1, 1, 1, 1]);
      using early = engine.conv2d(small, one);
      const wrote = engine.write(small, [10]);
      using late = engine.conv2d(small, one);
      expect(await Promise.all([early.data(), late.data()])).toEqual([new Float32Array([2]), new Float32Array([20])]);
      await wrote;
      expect(await long.data()).toEqual(await expected(whole, 1));
    });
  });

  gpuTest("of a host that records on without waiting comes to its end", async ({ engine: whole }) => {
    await withParts(whole, async (engine, { x, w }) => {
      for (let i = 0; i < 12; i++) {
        engine.conv2d(x, w, OPTIONS).dispose();
        void engine.submit();
      }
      using y = engine.conv2d(x, w, OPTIONS);
      expect(await y.data()).toEqual(await expected(whole, 1));
    });
  });

  gpuTest("may be a sequence, or go into a caller's encoder", async ({ engine: whole }) => {
    const values = await expected(whole, 2);
    await withParts(whole, async (engine, { x, w }) => {
      const record = (): Tensor => engine.scope((local) => local.conv2d(local.conv2d(x, w, OPTIONS), w, OPTIONS));
      using sequence = await engine.compile(record);
      for (let i = 0; i < 2; i++) {
        sequence.run();
        expect(await sequence.result.data()).toEqual(values);
      }
      const encoder = deviceOf(engine).createCommandEncoder();
      const { result, submitted } = await engine.encode(encoder, record);
      deviceOf(engine).queue.submit([encoder.finish()]);
      submitted();
      expect(await result.data()).toEqual(values);
      result.dispose();
      sequence.result.dispose();
    });
  });

  gpuTest("is planned by what was measured before", async ({ engine: whole }) => {
    const values = await expected(whole, 1);
    await withParts(whole, async (engine, { x, w }) => {
      const explain = () => engine.explain("conv2d", { input: SHAPE, weight: [CHANNELS, CHANNELS, 3, 3] }, OPTIONS);
      const before = explain();
      expect(before.slowness).toBe(1);
      for (let i = 0; i < 6 && explain().slowness === 1; i++) {
        using y = engine.conv2d(x, w, OPTIONS);
        expect(await y.data()).toEqual(values);
      }
      const after = explain();
      expect(Number.isInteger(Math.log2(after.slowness))).toBe(true);
      // Parts are so short here that to submit them and wait takes longer than the model says of them.
      if (engine.adapter.software) expect(after.slowness).toBeGreaterThan(1);
      if (after.slowness > 1) expect(after.dispatches.length).toBeGreaterThan(before.dispatches.length);
      if (after.slowness !== 1)
        expect(String(after)).toContain(`takes ${String(after.slowness)} times what was predicted`);
      using y = engine.conv2d(x, w, OPTIONS);
      expect(await y.data()).toEqual(values);
    });
  });

  gpuTest("ends with its engine", async ({ engine: whole }) => {
    const engine = engineOfParts(deviceOf(whole), LONGEST);
    const { x, w } = inputs(engine);
    const y = engine.conv2d(x, w, OPTIONS);
    const reason = reasonOf(y.data({ onProgress: () => engine.dispose() }));
    expect(String(await reason)).toMatch(/disposed/);
  });
});

describe("progress", () => {
  const WAYS: readonly (readonly [string, (engine: Engine, y: Tensor, options: object) => Promise<unknown>])[] = [
    ["data", (_, y, options) => y.data(options)],
    ["finish", (engine, _, options) => engine.finish(options)],
    ["submit", (engine, _, options) => engine.submit(options)],
  ];
  for (const [name, wait] of WAYS) {
    gpuTest(`of ${name} begins at 0, grows and ends with the whole`, async ({ engine: whole }) => {
      await withParts(whole, async (engine, { x, w }) => {
        const seen: Progress[] = [];
        using h = engine.conv2d(x, w, OPTIONS);
        using y = engine.conv2d(h, w, OPTIONS);
        await wait(engine, y, { onProgress: (progress: Progress) => void seen.push(progress) });
        expect(seen.length).toBeGreaterThan(10);
        const { total } = seen[0];
        expect(seen[0].done).toBe(0);
        seen.reduce((before, progress) => {
          expect(progress.total).toBe(total);
          expect(progress.done).toBeGreaterThan(before.done);
          return progress;
        });
        expect(seen.at(-1)).toEqual({ done: total, total });
        const told = seen.length;
        expect(await y.data()).toEqual(await expected(whole, 2));
        expect(seen.length).toBe(told);
      });
    });
  }

  gpuTest("of work that is short, or of none, is told, too", async ({ engine }) => {
    for (let i = 0; i < 2; i++) {
      const seen: Progress[] = [];
      await engine.finish({ onProgress: (progress) => void seen.push(progress) });
      expect(seen.map(({ done, total }) => done / total)).toEqual([0, 1]);
      using x = engine.tensor([1], [1, 1, 1, 1]);
      engine.conv2d(x, x).dispose();
    }
  });

  gpuTest("that throws rejects the call, and nothing else", async ({ engine: whole }) => {
    await withParts(whole, async (engine, { x, w }) => {
      using y = engine.conv2d(x, w, OPTIONS);
      let calls = 0;
      const onProgress = ({ done }: Progress): void => {
        calls++;
        if (done > 0) throw new RangeError("the bar is broken");
      };
      expect(await reasonOf(engine.finish({ onProgress }))).toEqual(new RangeError("the bar is broken"));
      expect(await y.data()).toEqual(await expected(whole, 1));
      expect(calls).toBe(2);
    });
  });
});
