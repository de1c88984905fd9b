/** The caller's own GPU work beside the engine's: shared buffers, shared encoders, a shared device. */
import { ArgumentError, DeviceError, type Engine, type Tensor, TensorError } from "webgpu-conv";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { deviceOf, gpuTest } from "../support/gpuTest.js";

const X = [1, 2, 3, 4];
/** Node has the global only once an engine was made. */
const copies = (): number => GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
const forStorage = (): number => GPUBufferUsage.STORAGE | copies();

/** A caller's buffer with values in it from `offset` bytes on. */
function makeBuffer(device: GPUDevice, values: readonly number[], offset = 0, usage = forStorage()): GPUBuffer {
  const bytes = offset + 4 * values.length;
  const buffer = device.createBuffer({ size: bytes, usage, mappedAtCreation: true });
  new Float32Array(buffer.getMappedRange(), offset, values.length).set(values);
  buffer.unmap();
  return buffer;
}

/** Copies a binding out on the caller's own queue. */
async function readBinding(device: GPUDevice, { buffer, offset, size }: Required<GPUBufferBinding>): Promise<number[]> {
  const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const values = [...new Float32Array(staging.getMappedRange())];
  staging.destroy();
  return values;
}

const doubled = (engine: Engine, x: Tensor, w: Tensor): Tensor => engine.conv2d(x, w);
const dataOf = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];

describe("a caller's buffer", () => {
  gpuTest("is read in place, at an offset, again after it changed", async ({ engine }) => {
    const device = deviceOf(engine);
    const buffer = makeBuffer(device, X, 256);
    using x = engine.wrap(buffer, [1, 1, 2, 2], { offset: 256 });
    using w = engine.tensor([2], [1, 1, 1, 1]);
    using y = doubled(engine, x, w);
    expect(await dataOf(y)).toEqual([2, 4, 6, 8]);
    device.queue.writeBuffer(buffer, 256, Float32Array.of(10, 20, 30, 40));
    using z = doubled(engine, x, w);
    expect(await dataOf(z)).toEqual([20, 40, 60, 80]);
    expect(await dataOf(x)).toEqual([10, 20, 30, 40]);
    buffer.destroy();
  });

  gpuTest("may be smaller than the vectors that kernels read others in", async ({ engine }) => {
    using x = engine.wrap(makeBuffer(deviceOf(engine), [1, 2, 3], 0), [1, 3, 1, 1]);
    using w = engine.wrap(makeBuffer(deviceOf(engine), [4, 5, 6], 0), [1, 3, 1, 1]);
    for (const solver of ["implicit-gemm", "vector-tile", "register-tile", "strip"]) {
      using y = engine.conv2d(x, w, { solver });
      expect(await dataOf(y)).toEqual([32]);
      using dw = engine.conv2dWeightGradient(y, x, [1, 3, 1, 1], {
        solver: solver === "vector-tile" ? "direct" : solver,
      });
      expect(await dataOf(dw)).toEqual([32, 64, 96]);
    }
  });

  gpuTest("stays the caller's when tensor and engine go, and costs the engine nothing", async ({ engine }) => {
    const device = deviceOf(engine);
    const buffer = makeBuffer(device, X);
    const other = await createEngine({ device });
    const before = other.memory().liveBytes;
    const x = other.wrap(buffer, [1, 1, 2, 2]);
    expect(other.memory().liveBytes).toBe(before);
    using y = other.conv2d(x, x, {});
    x.dispose();
    expect(await dataOf(y)).toEqual([30]);
    other.dispose();
    expect(await readBinding(device, { buffer, offset: 0, size: 16 })).toEqual(X);
    buffer.destroy();
  });

  gpuTest("holds float16, an odd number of them", async ({ engine }) => {
    const device = deviceOf(engine);
    using half = engine.tensor([1, 2, 3], [1, 1, 1, 3], { dtype: "float16" });
    await engine.submit();
    using same = engine.wrap(half.binding().buffer, [1, 1, 1, 3], { dtype: "float16" });
    expect(await dataOf(same)).toEqual([1, 2, 3]);
    expect(device.lost).toBeInstanceOf(Promise);
  });

  gpuTest("is refused with the rule and the values", async ({ engine }) => {
    const device = deviceOf(engine);
    const small = makeBuffer(device, X);
    const hidden = makeBuffer(device, X, 0, copies());
    const mute = makeBuffer(device, X, 0, GPUBufferUsage.STORAGE);
    const bad = (name: RegExp, call: () => unknown): void => {
      expect(call).toThrow(ArgumentError);
      expect(call).toThrow(name);
    };
    bad(/16 bytes; expected at least offset 0 \+ 20/, () => engine.wrap(small, [5]));
    bad(/16 bytes; expected at least offset 256 \+ 4/, () => engine.wrap(small, [1], { offset: 256 }));
    bad(/offset is 4; expected a multiple of minStorageBufferOffsetAlignment = /, () =>
      engine.wrap(small, [1], { offset: 4 }),
    );
    bad(/offset is -256/, () => engine.wrap(small, [1], { offset: -256 }));
    bad(/usage is 12; expected it to have GPUBufferUsage\.STORAGE = 128/, () => engine.wrap(hidden, [1]));
    bad(/shape is \[\]/, () => engine.wrap(small, []));
    bad(/buffer is null; expected a GPUBuffer/, () => engine.wrap(null as never, [1]));
    using x = engine.wrap(mute, [1, 1, 2, 2]);
    await expect(x.data()).rejects.toThrow(/COPY_SRC = 4/);
    using y = engine.conv2d(x, x);
    expect(await dataOf(y)).toEqual([30]);
    for (const buffer of [small, hidden, mute]) buffer.destroy();
  });
});

describe("a tensor's buffer", () => {
  gpuTest("has the values for what the caller submits after submit()", async ({ engine }) => {
    using x = engine.tensor(X, [1, 1, 2, 2]);
    using w = engine.tensor([2], [1, 1, 1, 1]);
    using y = engine.conv2d(x, w, { solver: "register-tile" });
    await engine.submit();
    const binding = y.binding();
    expect(binding.size).toBe(16);
    expect(await readBinding(deviceOf(engine), binding)).toEqual([2, 4, 6, 8]);
  });

  gpuTest("feeds another engine on the same device, without a copy", async ({ engine }) => {
    const device = deviceOf(engine);
    using other = await createEngine({ device });
    using x = engine.tensor(X, [1, 1, 2, 2]);
    using w = engine.tensor([2], [1, 1, 1, 1]);
    using y = engine.conv2d(x, w);
    expect(() => other.conv2d(y, y)).toThrow(TensorError);
    await engine.submit();
    using there = other.wrap(y.binding().buffer, y.shape);
    using five = other.tensor([5], [1, 1, 1, 1]);
    using z = other.conv2d(there, five);
    expect(await dataOf(z)).toEqual([10, 20, 30, 40]);
    other.dispose();
    expect(await dataOf(y)).toEqual([2, 4, 6, 8]);
  });

  gpuTest("is nothing without a GPU, and the error says so", async ({ engine }) => {
    expect(engine.device).toBeDefined();
    using cpu = await createEngine({ backend: "cpu" });
    using x = cpu.tensor(X, [4]);
    expect(() => x.binding()).toThrow(DeviceError);
    expect(() => cpu.wrap(null as never, [1])).toThrow(/wrap needs a WebGPU device; this engine runs on CPU/);
    await expect(cpu.encode(null as never, () => 0)).rejects.toThrow(/encode needs a WebGPU device/);
    await cpu.submit();
  });
});

describe("two engines on one device", () => {
  gpuTest("work at the same time, and one outlives the other", async ({ engine }) => {
    const device = deviceOf(engine);
    const first = await createEngine({ device, poison: true });
    using second = await createEngine({ device, poison: true });
    const run = async (on: Engine, factor: number): Promise<number[]> => {
      using x = on.tensor(X, [1, 1, 2, 2]);
      using w = on.tensor([factor], [1, 1, 1, 1]);
      using y = on.conv2d(x, w);
      return await dataOf(y);
    };
    const rounds = Array.from({ length: 20 }, (_, i) => i + 1);
    const found = await Promise.all(rounds.flatMap((i) => [run(first, i), run(second, -i)]));
    expect(found).toEqual(rounds.flatMap((i) => [X.map((value) => i * value), X.map((value) => -i * value)]));
    first.dispose();
    expect(await run(second, 3)).toEqual([3, 6, 9, 12]);
    expect(await run(engine, 3)).toEqual([3, 6, 9, 12]);
  });
});
