/** Calls that are called off: what is not on the queue yet is dropped, and everything else stays as it was. */
import { CancelError, type Engine, type Progress, type Tensor } from "webgpu-conv";
import { sgd } from "webgpu-conv/nn";
import { describe, expect } from "vitest";
import { failingDevice } from "../support/failingDevice.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import {
  CHANNELS,
  CountedSignal,
  engineOfParts,
  expected,
  inputs,
  type Layers,
  LONGEST,
  OPTIONS,
  reasonOf,
  withParts,
} from "../support/longWork.js";

describe("a call that is called off", () => {
  for (const parts of [0, 1, 5, 12]) {
    gpuTest(`after ${String(parts)} parts rejects, and leaves all as it was`, async ({ engine: whole }) => {
      const values = await expected(whole, 2);
      await withParts(whole, async (engine, { x, w }) => {
        const controller = new AbortController();
        let told = 0;
        const onProgress = (): void => {
          if (told++ === parts) controller.abort(new RangeError("enough"));
        };
        using h = engine.conv2d(x, w, OPTIONS);
        using y = engine.conv2d(h, w, OPTIONS);
        const { signal } = controller;
        expect(await reasonOf(y.data({ signal, onProgress }))).toEqual(new RangeError("enough"));
        const reason = await reasonOf(y.data());
        expect(reason).toBeInstanceOf(CancelError);
        expect((reason as Error).cause).toEqual(new RangeError("enough"));
        await engine.finish();
        expect(told).toBe(parts + 1);
        for (let i = 0; i < 2; i++) {
          using again = engine.conv2d(x, w, OPTIONS);
          using deeper = engine.conv2d(again, w, OPTIONS);
          expect(await deeper.data()).toEqual(values);
        }
      });
    });
  }

  gpuTest("before it begins does nothing", async ({ engine: whole }) => {
    await withParts(whole, async (engine, { x, w }) => {
      using y = engine.conv2d(x, w, OPTIONS);
      const seen: Progress[] = [];
      const signal = AbortSignal.abort();
      const reason = await reasonOf(engine.finish({ signal, onProgress: (progress) => void seen.push(progress) }));
      expect(reason).toBe(signal.reason);
      expect(seen).toEqual([]);
      expect(await reasonOf(y.data())).toBeInstanceOf(CancelError);
      expect(await reasonOf(y.data({ signal }))).toBe(signal.reason);
    });
  });

  gpuTest("takes nothing from other reads, nor what is recorded later", async ({ engine: whole }) => {
    const [one, two] = [await expected(whole, 1), await expected(whole, 2)];
    await withParts(whole, async (engine, { x, w }) => {
      const controller = new AbortController();
      using h = engine.conv2d(x, w, OPTIONS);
      using y = engine.conv2d(h, w, OPTIONS);
      using lost = engine.conv2d(y, w, OPTIONS);
      using other = engine.conv2d(x, w, OPTIONS);
      const read = y.data();
      const finished = reasonOf(engine.finish({ signal: controller.signal }));
      const own = reasonOf(lost.data({ signal: controller.signal }));
      using later = engine.conv2d(x, w, OPTIONS);
      controller.abort();
      expect(await finished).toBe(controller.signal.reason);
      expect(await own).toBe(controller.signal.reason);
      expect(await read).toEqual(two);
      expect(await h.data()).toEqual(one);
      expect(await later.data()).toEqual(one);
      expect(await reasonOf(lost.data())).toBeInstanceOf(CancelError);
      expect(await reasonOf(other.data())).toBeInstanceOf(CancelError);
    });
  });

  gpuTest("takes nothing from reads of what an operation changes in place", async ({ engine: whole }) => {
    await withParts(whole, async (engine, { x, w }) => {
      const controller = new AbortController();
      using parameter = engine.tensor([3], [1]);
      using gradient = engine.tensor([2], [1]);
      using optimizer = sgd(engine, { parameter }, { lr: 1 });
      using y = engine.conv2d(x, w, OPTIONS);
      optimizer.step({ parameter: gradient });
      const read = parameter.data();
      const finished = reasonOf(engine.finish({ signal: controller.signal }));
      controller.abort();
      expect(await finished).toBe(controller.signal.reason);
      expect([...(await read)]).toEqual([1]);
      expect(await reasonOf(y.data())).toBeInstanceOf(CancelError);
    });
  });

  for (const call of ["data", "finish"] as const) {
    gpuTest(`takes no change in place, nor what that needs: ${call}()`, async ({ bare: whole }) => {
      /** A layer, a step by a gradient that is computed from it, and what is called off: a layer after it. */
      const step = async (engine: Engine, { x, w }: Layers, abort?: AbortController): Promise<Float32Array> => {
        using parameter = engine.tensor(new Float32Array(CHANNELS), [CHANNELS]);
        using optimizer = sgd(engine, { parameter }, { lr: 1 });
        using h = engine.conv2d(x, w, OPTIONS);
        using y = engine.conv2d(h, w, OPTIONS);
        using gradient = engine.conv2dBiasGradient(h);
        optimizer.step({ parameter: gradient });
        if (abort) {
          const { signal } = abort;
          const calledOff = reasonOf(call === "data" ? y.data({ signal }) : engine.finish({ signal }));
          abort.abort();
          expect(await calledOff).toBe(signal.reason);
          expect(await reasonOf(y.data())).toBeInstanceOf(CancelError);
        }
        return await parameter.data();
      };
      const layers = inputs(whole);
      const values = await step(whole, layers);
      for (const tensor of Object.values(layers) as Tensor[]) tensor.dispose();
      expect(values.every((value) => value !== 0)).toBe(true);
      await withParts(whole, async (engine, own) => {
        expect(await step(engine, own, new AbortController())).toEqual(values);
      });
    });
  }

  gpuTest("takes no part of a change in place whose kernels are not all there", async ({ engine: whole }) => {
    const { device, faults } = failingDevice(deviceOf(whole));
    faults.rewrite = (code, label) => (/update.?parameters/i.test(label) ? "broken" : code);
    using engine = engineOfParts(device, 1e-9);
    using parameter = engine.tensor([3], [1]);
    using gradient = engine.tensor([2], [1]);
    using optimizer = sgd(engine, { parameter }, { lr: 1 });
    optimizer.step({ parameter: gradient });
    expect(String(await reasonOf(engine.finish()))).toMatch(/update.?parameters/i);
    expect(await optimizer.progress()).toMatchObject({ steps: 0 });
  });

  gpuTest("of a read takes what that needs alone", async ({ engine: whole }) => {
    const values = await expected(whole, 1);
    await withParts(whole, async (engine, { x, w }) => {
      const controller = new AbortController();
      using other = engine.conv2d(x, w, OPTIONS);
      using y = engine.conv2d(x, w, OPTIONS);
      const own = reasonOf(y.data({ signal: controller.signal }));
      controller.abort();
      expect(await own).toBe(controller.signal.reason);
      expect(await other.data()).toEqual(values);
      expect(await reasonOf(y.data())).toBeInstanceOf(CancelError);
    });
  });

  gpuTest("leaves a sequence to run again, and weights to be packed", async ({ engine: whole }) => {
    const options = { padding: 1, solver: "winograd" } as const;
    const ofWhole = inputs(whole);
    using wanted = whole.conv2d(ofWhole.x, ofWhole.w, options);
    const values = await wanted.data();
    ofWhole.x.dispose();
    ofWhole.w.dispose();
    using engine = engineOfParts(deviceOf(whole), LONGEST);
    const { x, w } = inputs(engine);
    const record = (): Tensor => engine.conv2d(x, w, options);
    using sequence = await engine.compile(record);
    for (const aborts of [true, false, true, true, false]) {
      const controller = new AbortController();
      sequence.run();
      using y = record();
      const done = reasonOf(engine.finish({ signal: controller.signal }));
      if (aborts) controller.abort();
      expect(await done).toBe(aborts ? controller.signal.reason : "resolved");
      for (const tensor of [y, sequence.result]) {
        const outcome = await tensor.data().catch((reason: unknown) => reason);
        if (aborts) expect(outcome).toBeInstanceOf(CancelError);
        else expect(outcome).toEqual(values);
      }
    }
  });

  gpuTest("leaves no listener on its signal", async ({ engine: whole }) => {
    await withParts(whole, async (engine, { x, w }) => {
      const signal = new CountedSignal();
      using y = engine.conv2d(x, w, OPTIONS);
      await engine.finish({ signal });
      await y.data({ signal });
      expect(signal.listeners.size).toBe(0);
      await reasonOf(engine.submit({ signal, onProgress: () => expect.fail("told") }));
      expect(signal.listeners.size).toBe(0);
      using z = engine.conv2d(x, w, OPTIONS);
      const reason = reasonOf(z.data({ signal }));
      expect(signal.listeners.size).toBe(1);
      signal.abort("enough");
      expect(signal.listeners.size).toBe(0);
      expect(await reason).toBe("enough");
    });
  });
});

gpuTest("options of a call that waits are checked", async ({ engine }) => {
  using x = engine.tensor([1], [1, 1, 1, 1]);
  const finish = (options: unknown): Promise<unknown> => reasonOf(engine.finish(options as object));
  expect(String(await finish({ onProgres: 1 }))).toMatch(/unknown option onProgres: did you mean onProgress\?/);
  expect(String(await finish({ onProgress: 1 }))).toMatch(/onProgress is 1; expected a function that takes/);
  expect(String(await finish({ signal: {} }))).toMatch(/signal is Object; expected an AbortSignal/);
  expect(String(await reasonOf(x.data({ signal: 3 } as never)))).toMatch(/signal is 3; expected an AbortSignal/);
});
