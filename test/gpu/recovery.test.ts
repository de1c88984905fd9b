/** A device that is lost: an engine that recovers goes on on another one, and says what did not come back. */
import {
  ArgumentError,
  type Compiled,
  DeviceLostError,
  type Engine,
  memoryStore,
  type Tensor,
  TensorError,
} from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { createEngine as createForwardEngine } from "../../src/forward.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const SHAPE = [1, 1, 2, 2];
const X = [1, 2, 3, 4];
const TRIPLED = [3, 6, 9, 12];

async function makeLayer(options: Parameters<typeof createEngine>[0] = {}) {
  const engine = await createEngine({ recover: true, ...options });
  const x = engine.tensor(X, SHAPE, { keep: true });
  const three = engine.tensor([3], [1, 1, 1, 1], { keep: true });
  const run = (input: Tensor = x): Tensor => engine.conv2d(input, three, { solver: "direct" });
  return { engine, x, three, run, [Symbol.dispose]: () => engine.dispose() };
}

/** Destroys the device, and waits for the engine to have another one. */
async function lose(engine: Engine) {
  const { lost } = engine;
  deviceOf(engine).destroy();
  const { recovered, reason } = await lost;
  expect(reason).toBe("destroyed");
  return await recovered;
}

const valuesOf = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];

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
      /shape \[1, 1, 2, 2\] in float32, y of conv2d forward 1x2x2 -> 1, 1x1, made at .*recovery/,
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

const newDevice = async (): Promise<GPUDevice> => {
  const engine = await createEngine();
  const device = deviceOf(engine);
  return device;
};

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
