/** One operation's failure is its own: what has nothing to do with it goes on, and nothing wrong is ever read. */
import { DeviceError, type Engine, type Tensor } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { failingDevice } from "../support/failingDevice.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const SHAPE = [1, 1, 2, 2];
const SMALL = [3, 6, 9, 12];

async function makeLayer(shared: Engine) {
  const { device, faults } = failingDevice(deviceOf(shared));
  // Dispatches are counted, those of trials would be as well.
  const engine = await createEngine({ device, vetKernels: false });
  const x = engine.tensor([1, 2, 3, 4], SHAPE);
  const three = engine.tensor([3], [1, 1, 1, 1]);
  const run = (input: Tensor = x): Tensor => engine.conv2d(input, three, { solver: "direct" });
  return { engine, faults, x, three, run, [Symbol.dispose]: () => engine.dispose() };
}

async function expectFailure(tensors: readonly Tensor[], reason: RegExp): Promise<void> {
  for (const tensor of [...tensors, ...tensors]) {
    const read = tensor.data();
    await expect(read).rejects.toThrow(DeviceError);
    await expect(read).rejects.toThrow(reason);
  }
}

describe("an operation that fails", () => {
  for (const warm of [false, true]) {
    gpuTest(
      `while it is encoded, ${warm ? "" : "its kernels not yet "}compiled, takes none with it`,
      async ({ engine }) => {
        using layer = await makeLayer(engine);
        const { faults, run } = layer;
        if (warm) await run().data();
        let dispatches = 0;
        faults.onDispatch = () => {
          if (++dispatches === 2) throw new TypeError("no such grid");
        };
        const [first, failed, third] = [run(), run(), run()];
        const dependent = layer.engine.activate(failed, "relu");
        expect([...(await first.data())]).toEqual(SMALL);
        await expectFailure([failed, dependent], /could not be encoded.*no such grid/);
        expect([...(await third.data())]).toEqual(SMALL);
        await expect(layer.engine.finish()).rejects.toThrow(/no such grid/);
        const again = run();
        expect([...(await again.data())]).toEqual(SMALL);
        await layer.engine.finish();
      },
    );
  }

  gpuTest("with its whole submission marks all of it, and what later work computed from that", async ({ engine }) => {
    using layer = await makeLayer(engine);
    const { faults, run } = layer;
    await run().data();
    const lost = run();
    faults.onSubmit = () => {
      faults.onSubmit = () => undefined;
      throw new Error("refused");
    };
    await layer.engine.submit();
    const dependent = run(lost);
    const independent = run();
    await expectFailure([lost, dependent], /refused/);
    expect([...(await independent.data())]).toEqual(SMALL);
    await expect(layer.engine.finish()).rejects.toThrow(/refused/);
    await layer.engine.finish();
  });

  for (const what of ["destroyed", "mapped"] as const) {
    gpuTest(`since a caller's buffer is ${what} is alone in that`, async ({ engine }) => {
      const device = deviceOf(engine);
      using layer = await makeLayer(engine);
      const { run } = layer;
      await run().data();
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
      const mapped = what === "mapped";
      const buffer = device.createBuffer({ size: 16, usage, mappedAtCreation: mapped });
      if (!mapped) buffer.destroy();
      using wrapped = layer.engine.wrap(buffer, SHAPE);
      const before = run();
      const failed = run(wrapped);
      const between = run();
      const dependent = run(failed);
      const after = run(between);
      expect([...(await before.data())]).toEqual(SMALL);
      await expectFailure([failed, dependent, wrapped], /refused the submission/);
      expect([...(await between.data())]).toEqual(SMALL);
      expect([...(await after.data())]).toEqual(SMALL.map((value) => 3 * value));
      await expect(layer.engine.finish()).rejects.toThrow(/refused the submission/);
      buffer.destroy();
    });
  }

  gpuTest("in a sequence fails that run; a later run computes all of it", async ({ engine }) => {
    using layer = await makeLayer(engine);
    const { faults, run } = layer;
    using step = await layer.engine.compile(() => run(run()));
    faults.onDispatch = () => {
      throw new TypeError("no such grid");
    };
    step.run();
    await expectFailure([step.result], /no such grid/);
    faults.onDispatch = () => undefined;
    step.run();
    expect([...(await step.result.data())]).toEqual(SMALL.map((value) => 3 * value));
    await expect(layer.engine.finish()).rejects.toThrow(/no such grid/);
  });

  gpuTest("is told of by check and draw, too", async ({ engine }) => {
    using layer = await makeLayer(engine);
    layer.faults.onDispatch = () => {
      throw new TypeError("no such grid");
    };
    const y = layer.run();
    await expect(layer.engine.check(y)).rejects.toThrow(/no such grid/);
    layer.faults.onDispatch = () => undefined;
    await expect(layer.engine.check(y)).rejects.toThrow(/no such grid/);
    expect(await layer.engine.check(layer.x)).toEqual({ infinite: 0, nan: 0, largest: 4 });
    await expect(layer.engine.finish()).rejects.toThrow(/no such grid/);
  });

  gpuTest("is written over by a write: from then on there are values", async ({ engine }) => {
    using layer = await makeLayer(engine);
    layer.faults.onDispatch = () => {
      throw new TypeError("no such grid");
    };
    const y = layer.run();
    await expectFailure([y], /no such grid/);
    layer.faults.onDispatch = () => undefined;
    await layer.engine.write(y, [1, 2, 3, 4]);
    using z = layer.run(y);
    expect([...(await z.data())]).toEqual(SMALL);
    await expect(layer.engine.finish()).rejects.toThrow(/no such grid/);
  });
});

describe("on a lost device", () => {
  type Wait = (engine: Engine, y: Tensor) => Promise<unknown>;
  const waits: Readonly<Record<string, Wait>> = {
    data: (_, y) => y.data(),
    finish: (engine) => engine.finish(),
    check: (engine, y) => engine.check(y),
    compile: (engine, y) => engine.compile(() => engine.activate(y, "relu")),
    encode: (engine, y) => engine.encode(deviceOf(engine).createCommandEncoder(), () => engine.activate(y, "relu")),
    time: (engine, y) => engine.time(() => void engine.activate(y, "relu")),
    draw: (engine, y) => engine.draw(y, makeTexture(deviceOf(engine))),
  };
  const makeTexture = (device: GPUDevice): GPUTexture =>
    device.createTexture({ size: [2, 2], format: "rgba8unorm", usage: GPUTextureUsage.RENDER_ATTACHMENT });

  for (const when of ["while they wait", "before anyone knows"] as const) {
    gpuTest(`waits reject with the cause: ${when}`, async () => {
      const own = await createEngine();
      const x = own.tensor([1, 2, 3, 4], SHAPE);
      const y = own.conv2d(x, own.tensor([3], [1, 1, 1, 1]), { solver: "direct" });
      const device = deviceOf(own);
      if (when === "before anyone knows") device.destroy();
      const started = Promise.allSettled(Object.values(waits).map((wait) => wait(own, y)));
      if (when === "while they wait") device.destroy();
      for (const [i, outcome] of (await started).entries()) {
        const name = Object.keys(waits)[i];
        expect([name, outcome.status]).toEqual([name, "rejected"]);
        const reason: unknown = outcome.status === "rejected" ? outcome.reason : undefined;
        expect([name, reason instanceof DeviceError, String(reason)]).toEqual([
          name,
          true,
          expect.stringMatching(/the device was lost \(destroyed\)/),
        ]);
      }
      for (const later of [own.write(x, [1, 1, 1, 1]), own.submit()]) await expect(later).rejects.toThrow(/was lost/);
      own.dispose();
    });
  }
});
