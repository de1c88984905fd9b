/** Long work: it reaches the device bit by bit, tells how far it is, and can be called off. */
import { CancelError, type Engine, type Progress, type Tensor } from "webgpu-conv";
import { describe, expect } from "vitest";
import { countCalls } from "../support/countingDevice.js";
import { Random, reals } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { CountedSignal, engineOfParts } from "../support/longWork.js";

const SIZE = 40;
const CHANNELS = 16;
const SHAPE = [1, CHANNELS, SIZE, SIZE];
/** Of a layer's parts here, by the model. */
const LONGEST = 0.04;
/** One whose workgroups are many. */
const OPTIONS = { padding: 1, solver: "direct" } as const;

interface Layers {
  readonly x: Tensor;
  readonly w: Tensor;
}

const inputs = (engine: Engine): Layers => ({
  x: engine.tensor(reals(new Random(1), CHANNELS * SIZE * SIZE), SHAPE),
  w: engine.tensor(reals(new Random(2), CHANNELS * CHANNELS * 9), [CHANNELS, CHANNELS, 3, 3]),
});

/** What a layer gives on an engine that runs it whole. */
async function expected(engine: Engine, depth: number): Promise<Float32Array> {
  const { x, w } = inputs(engine);
  let y = engine.conv2d(x, w, OPTIONS);
  for (let i = 1; i < depth; i++) {
    const next = engine.conv2d(y, w, OPTIONS);
    y.dispose();
    y = next;
  }
  const values = await y.data();
  for (const tensor of [x, w, y]) tensor.dispose();
  return values;
}

/** Runs `body` on an engine for which layers are long, which must leave nothing behind. */
async function withParts(whole: Engine, body: (engine: Engine, layers: Layers) => Promise<void>): Promise<void> {
  const engine = engineOfParts(deviceOf(whole), LONGEST);
  try {
    const layers = inputs(engine);
    await engine.finish();
    const before = engine.memory();
    await body(engine, layers);
    await engine.finish();
    expect(engine.memory().liveTensors).toBe(before.liveTensors);
    expect(engine.memory().liveBytes).toBe(before.liveBytes);
  } finally {
    engine.dispose();
  }
}

const reasonOf = async (promise: Promise<unknown>): Promise<unknown> =>
  await promise.then(
    () => "resolved",
    (reason: unknown) => reason,
  );

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
