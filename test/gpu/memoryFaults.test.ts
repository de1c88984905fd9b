/** When the device has no room: one more try, then an error that says for what, and nothing else is lost. */
import { DeviceError, type Engine, type Tensor } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { type Faults, failingDevice } from "../support/failingDevice.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const LARGE = 2 ** 20;
const SIDE = 512;
const isLarge = (bytes: number): boolean => bytes >= LARGE;

interface Layer extends Disposable {
  readonly engine: Engine;
  readonly faults: Faults;
  readonly buffers: () => number;
  readonly x: Tensor;
  readonly w: Tensor;
  /** Of a megabyte. */
  readonly large: (weight?: Tensor) => Tensor;
  readonly small: () => Tensor;
}

/** An engine on the shared device that fails as `faults` says. Its large results are of 4 channels of a small input. */
async function makeLayer(shared: Engine): Promise<Layer> {
  const { device, faults, buffers } = failingDevice(deviceOf(shared));
  const engine = await createEngine({ device });
  const x = engine.tensor(new Float32Array(SIDE * SIDE).fill(1), [1, 1, SIDE, SIDE], { dtype: "float16" });
  const w = engine.tensor([2, 2], [2, 1, 1, 1], { dtype: "float16" });
  const tiny = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
  const three = engine.tensor([3], [1, 1, 1, 1]);
  const large = (): Tensor => engine.conv2d(x, w, { solver: "direct" });
  const small = (): Tensor => engine.conv2d(tiny, three, { solver: "direct" });
  // Their kernels are compiled, and the device has said that there was room for what is here.
  small().dispose();
  await engine.finish();
  return { engine, faults, buffers, x, w, large, small, [Symbol.dispose]: () => engine.dispose() };
}

const SMALL = [3, 6, 9, 12];

async function expectNoRoom(tensor: Tensor): Promise<void> {
  // Each time, and never any values.
  for (let time = 0; time < 2; time++) {
    const read = tensor.data();
    await expect(read).rejects.toThrow(DeviceError);
    await expect(read).rejects.toThrow(/shape \[1, 2, 512, 512\] in float16: out of memory.*1,048,576 bytes/);
  }
}

describe("a result that there is no room for", () => {
  gpuTest("is an error with shape and bytes; its neighbours have their values", async ({ engine }) => {
    using layer = await makeLayer(engine);
    const before = layer.engine.memory();
    layer.faults.noRoomFor = isLarge;
    const first = layer.small();
    const lost = layer.large();
    const dependent = layer.engine.activate(lost, "relu");
    const second = layer.small();
    const [one, two] = await Promise.all([first.data(), second.data(), expectNoRoom(lost)]);
    expect([[...one], [...two]]).toEqual([SMALL, SMALL]);
    await expect(dependent.data()).rejects.toThrow(/\[1, 2, 512, 512\] in float16: out of memory/);
    expect([...(await second.data())]).toEqual(SMALL);
    await expect(layer.engine.finish()).rejects.toThrow(/out of memory/);
    await layer.engine.finish();
    for (const tensor of [first, lost, dependent, second]) tensor.dispose();
    await layer.engine.finish();
    expect(layer.engine.memory()).toMatchObject({ liveBytes: before.liveBytes, liveTensors: before.liveTensors });
  });

  gpuTest("is computed when memory is back, in another buffer", async ({ engine }) => {
    using layer = await makeLayer(engine);
    layer.faults.noRoomFor = isLarge;
    const lost = layer.large();
    await expectNoRoom(lost);
    lost.dispose();
    await layer.engine.finish().catch(() => undefined);
    layer.faults.noRoomFor = () => false;
    for (let time = 0; time < 3; time++) {
      using y = layer.large();
      expect((await y.data()).every((value) => value === 2)).toBe(true);
    }
    await layer.engine.finish();
  });

  gpuTest(
    "gets it where memory waits unused: that is given back, and the buffer made once more",
    async ({ engine }) => {
      using layer = await makeLayer(engine);
      const half = layer.engine.tensor(new Float32Array(LARGE / 8), [LARGE / 8]);
      half.dispose();
      await layer.engine.finish();
      const refill = (): number => {
        const before = layer.buffers();
        layer.engine.tensor(new Float32Array(LARGE / 8), [LARGE / 8]).dispose();
        return layer.buffers() - before;
      };
      expect(refill()).toBe(0);
      let refusals = 0;
      layer.faults.noRoomFor = (bytes) => isLarge(bytes) && refusals++ === 0;
      using y = layer.large();
      expect((await y.data()).every((value) => value === 2)).toBe(true);
      expect(refusals).toBeGreaterThanOrEqual(2);
      expect(refill()).toBe(1);
      await layer.engine.finish();
    },
  );

  gpuTest("is an error of the call where the device refuses at once, which takes nothing", async ({ engine }) => {
    using layer = await makeLayer(engine);
    const before = layer.engine.memory();
    Object.assign(layer.faults, { noRoomFor: isLarge, throws: true } satisfies Faults);
    // The workspace is taken first, the largest of it before the rest.
    expect(() => layer.large()).toThrow(/out of memory.*2,097,152 bytes/);
    expect(() => layer.engine.tensor(new Float32Array(LARGE / 4), [LARGE / 4])).toThrow(DeviceError);
    await layer.engine.finish();
    expect(layer.engine.memory()).toMatchObject({ liveBytes: before.liveBytes, liveTensors: before.liveTensors });
    using y = layer.small();
    expect([...(await y.data())]).toEqual(SMALL);
  });
});

gpuTest("an engine that is made while there is no room works once there is some", async ({ engine: shared }) => {
  const { device, faults } = failingDevice(deviceOf(shared));
  faults.noRoomFor = () => true;
  using engine = await createEngine({ device });
  await expect(engine.finish()).rejects.toThrow(/out of memory/);
  faults.noRoomFor = () => false;
  using x = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
  using three = engine.tensor([3], [1, 1, 1, 1]);
  using y = engine.conv2d(x, three, { solver: "direct" });
  expect([...(await y.data())]).toEqual(SMALL);
});

describe("where there is no room for", () => {
  gpuTest("an upload, reading it and what it goes into is an error", async ({ engine }) => {
    using layer = await makeLayer(engine);
    layer.faults.noRoomFor = isLarge;
    using x = layer.engine.tensor(new Float32Array(LARGE / 4).fill(1), [1, 1, SIDE, SIDE]);
    using w = layer.engine.tensor(
      [1],
      [1, 1, SIDE, SIDE].map(() => 1),
    );
    using y = layer.engine.conv2d(x, w, { stride: SIDE });
    await expect(x.data()).rejects.toThrow(/shape \[1, 1, 512, 512\] in float32: out of memory/);
    await expect(y.data()).rejects.toThrow(/shape \[1, 1, 512, 512\] in float32: out of memory/);
    await expect(layer.engine.check(x)).rejects.toThrow(/out of memory/);
    await expect(layer.engine.finish()).rejects.toThrow(/out of memory/);
    // Writing to it is an error, too, and takes nothing with it.
    const neighbour = layer.small();
    const written = layer.engine.write(x, new Float32Array(LARGE / 4));
    await expect(written).rejects.toThrow(/shape \[1, 1, 512, 512\] in float32: out of memory/);
    expect([...(await neighbour.data())]).toEqual(SMALL);
    await layer.engine.finish();
  });

  gpuTest("an upload at first, it arrives once other memory was given back", async ({ engine }) => {
    using layer = await makeLayer(engine);
    let refusals = 0;
    layer.faults.noRoomFor = (bytes) => isLarge(bytes) && refusals++ === 0;
    using x = layer.engine.tensor(new Float32Array(LARGE / 4).fill(7), [LARGE / 4]);
    expect((await x.data()).every((value) => value === 7)).toBe(true);
  });

  gpuTest("memory to read back, the read is an error and the tensor is not", async ({ engine }) => {
    using layer = await makeLayer(engine);
    using y = layer.large();
    await layer.engine.finish();
    layer.faults.noRoomFor = (bytes, label) => isLarge(bytes) && label.includes("readback");
    await expect(y.data()).rejects.toThrow(/memory to read back.*out of memory/);
    layer.faults.noRoomFor = () => false;
    expect((await y.data()).every((value) => value === 2)).toBe(true);
  });

  gpuTest("scratch memory, the operation's result is an error", async ({ engine }) => {
    using layer = await makeLayer(engine);
    const { engine: own } = layer;
    using dy = own.tensor(new Float32Array(64 * 64).fill(1), [1, 1, 64, 64]);
    using x = own.tensor(new Float32Array(64 * 64).fill(1), [1, 1, 64, 64]);
    await own.finish();
    // The partial sums of a split.
    const { workspaceBytes } = own.explain(
      "conv2dWeightGradient",
      { input: [1, 1, 64, 64], weight: [1, 1, 1, 1] },
      { solver: "direct" },
    );
    expect(workspaceBytes).toBeGreaterThan(0);
    layer.faults.noRoomFor = (_, label) => label.includes("tensor");
    using dw = own.conv2dWeightGradient(dy, x, [1, 1, 1, 1], { solver: "direct" });
    await expect(dw.data()).rejects.toThrow(/out of memory/);
    layer.faults.noRoomFor = () => false;
    using again = own.conv2dWeightGradient(dy, x, [1, 1, 1, 1], { solver: "direct" });
    expect([...(await again.data())]).toEqual([4096]);
  });

  for (const throws of [false, true]) {
    gpuTest(
      `a kernel's uniforms, ${throws ? "said at once" : "said later"}, another call has them`,
      async ({ engine }) => {
        using layer = await makeLayer(engine);
        const { engine: own } = layer;
        using x = own.tensor([1, 2, 3], [1, 1, 3]);
        const run = (): Tensor => own.activate(x, "relu6");
        await own.finish();
        Object.assign(layer.faults, { noRoomFor: (_: number, label: string) => label === "activation", throws });
        if (throws) expect(run).toThrow(/out of memory/);
        else await expect(run().data()).rejects.toThrow(/out of memory/);
        layer.faults.noRoomFor = () => false;
        expect([...(await run().data())]).toEqual([1, 2, 3]);
      },
    );
  }

  gpuTest("what a compiled sequence needs, compiling it rejects; so does encoding", async ({ engine }) => {
    using layer = await makeLayer(engine);
    layer.faults.noRoomFor = isLarge;
    const { liveTensors } = layer.engine.memory();
    await expect(layer.engine.compile(() => layer.large())).rejects.toThrow(/out of memory/);
    // Nobody will ever get what it made.
    expect(layer.engine.memory().liveTensors).toBe(liveTensors);
    const encoder = deviceOf(engine).createCommandEncoder();
    const { result, submitted } = await layer.engine.encode(encoder, () => layer.large());
    deviceOf(engine).queue.submit([encoder.finish()]);
    submitted();
    await expect(result.data()).rejects.toThrow(/out of memory/);
  });
});
