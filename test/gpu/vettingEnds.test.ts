/** Kernels that never end, or take the device with them, are set aside like wrong ones. */
import { Engine } from "webgpu-conv";
import { instanceNorm } from "webgpu-conv/nn";
import { forward, makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { Context } from "../../src/api/context.js";
import { EngineCore } from "../../src/api/engineCore.js";
import { GpuBackend } from "../../src/gpu/gpuBackend.js";
import { Tuning } from "../../src/tuner/tuning.js";
import { Verdicts } from "../../src/vetting/verdicts.js";
import type { TrialLimits } from "../../src/vetting/outcome.js";
import { KernelVetting } from "../../src/vetting/vetting.js";
import { Random, smallIntegers } from "../support/data.js";
import { failingDevice, replacing } from "../support/failingDevice.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { newDevice } from "../support/losses.js";

const INPUT = [1, 24, 9, 12];
const WEIGHT = [16, 24, 1, 1];
const SHAPES = { input: INPUT, weight: WEIGHT };
const X = smallIntegers(new Random(1), 24 * 108);
const W = smallIntegers(new Random(2), 16 * 24);
const Y = [...forward(makeProblem(2, INPUT, WEIGHT), X, W)];
const PATIENCE = 2000;

/** Engines on the devices that it is called with, one after the other as if those before were lost; trials take so long at most. */
function enginesWith(onFault: (message: string) => void): (device: GPUDevice) => Engine {
  // The kernels that serve instead may take longer on a busy machine.
  const limits: { patience?: number } = { patience: PATIENCE };
  const verdicts = new Verdicts((message) => {
    delete limits.patience;
    onFault(message);
  });
  return (device) => engineOn(device, verdicts, limits);
}

function engineOn(device: GPUDevice, verdicts: Verdicts, limits: TrialLimits): Engine {
  const { warn } = verdicts;
  const vet = (): KernelVetting => new KernelVetting(verdicts, "a device", limits);
  const backend = new GpuBackend(device, { ownsDevice: false, poolBytes: 2 ** 24, poison: false, vet });
  const tuning = new Tuning(backend, { mode: "off", store: undefined, warn });
  return new Engine(new Context(new EngineCore(backend, tuning, undefined)));
}

/** The kernels that a 1x1 layer would be run by. */
const kernelsOf = (engine: Engine): string[] => engine.explain("conv2d", SHAPES).dispatches.map(({ kernel }) => kernel);

const never = (): Promise<never> => new Promise(() => undefined);

describe("a kernel that never ends", () => {
  gpuTest("being compiled is set aside", async ({ engine: shared }) => {
    const real = deviceOf(shared);
    const kernels = kernelsOf(shared);
    let asked = 0;
    const createComputePipelineAsync = (descriptor: GPUComputePipelineDescriptor): Promise<GPUComputePipeline> => {
      if (!kernels.includes(descriptor.label ?? "")) return real.createComputePipelineAsync(descriptor);
      asked++;
      return never();
    };
    const warnings: string[] = [];
    const engineWith = enginesWith((message) => warnings.push(message));
    using engine = engineWith(replacing(real, { createComputePipelineAsync }));
    using x = engine.tensor(X, INPUT);
    using w = engine.tensor(W, WEIGHT);
    using y = engine.conv2d(x, w);
    expect([...(await y.data())]).toEqual(Y);
    expect(engine.kernelFaults).toMatchObject([{ reason: "never finished" }]);
    expect(engine.kernelFaults[0].message).toBe("compiling it did not end within 2 seconds");
    expect(warnings.length).toBe(1);
    const before = asked;
    using again = engine.conv2d(x, w);
    expect([...(await again.data())]).toEqual(Y);
    expect(asked).toBe(before);
  });

  gpuTest("of a network, being compiled, is set aside", async ({ engine: shared }) => {
    const real = deviceOf(shared);
    const createComputePipelineAsync = (descriptor: GPUComputePipelineDescriptor): Promise<GPUComputePipeline> =>
      descriptor.label === "normalize_sets" ? never() : real.createComputePipelineAsync(descriptor);
    const engineWith = enginesWith(() => undefined);
    using engine = engineWith(replacing(real, { createComputePipelineAsync }));
    using x = engine.tensor(Float32Array.of(1, 3, 5, 7, 4, 2), [1, 3, 2]);
    using y = instanceNorm(x, { eps: 0 });
    expect(await y.data()).toEqual(Float32Array.of(-1, 1, -1, 1, 1, -1));
    expect(engine.kernelFaults).toMatchObject([{ solver: "instanceNorm one-read", reason: "never finished" }]);
    expect(engine.kernelFaults[0].message).toBe("compiling it did not end within 2 seconds");
  });

  /** A device whose buffers cannot be read while that holds. */
  const unreadable = (real: GPUDevice, hangs: () => boolean): GPUDevice => {
    const createBuffer = (descriptor: GPUBufferDescriptor): GPUBuffer => {
      const buffer = real.createBuffer(descriptor);
      const isRead = (descriptor.usage & GPUBufferUsage.MAP_READ) !== 0;
      if (isRead && hangs()) buffer.mapAsync = never;
      return buffer;
    };
    return replacing(real, { createBuffer });
  };

  gpuTest("on the device is set aside", async ({ engine: shared }) => {
    let hangs = true;
    const engineWith = enginesWith(() => (hangs = false));
    using engine = engineWith(unreadable(deviceOf(shared), () => hangs));
    using x = engine.tensor(X, INPUT);
    using w = engine.tensor(W, WEIGHT);
    using y = engine.conv2d(x, w);
    await engine.submit();
    expect(engine.kernelFaults).toMatchObject([{ reason: "never finished" }]);
    expect(engine.kernelFaults[0].message).toBe("a small problem did not end within 2 seconds");
    expect([...(await y.data())]).toEqual(Y);
  });

  gpuTest("on a device is not used on the next one, which waits for the verdict", async ({ engine: shared }) => {
    const real = deviceOf(shared);
    const warnings: string[] = [];
    const engineWith = enginesWith((message) => warnings.push(message));
    using before = engineWith(unreadable(real, () => warnings.length === 0));
    const kernels = kernelsOf(before);
    using early = before.conv2d(before.tensor(X, INPUT), before.tensor(W, WEIGHT));
    const first = before.submit();
    using after = engineWith(real);
    using y = after.conv2d(after.tensor(X, INPUT), after.tensor(W, WEIGHT));
    expect([...(await y.data())]).toEqual(Y);
    expect(after.kernelFaults).toMatchObject([{ reason: "never finished" }]);
    expect(warnings.length).toBe(1);
    expect(kernelsOf(after)).not.toEqual(kernels);
    await first;
    expect([...(await early.data())]).toEqual(Y);
  });
});

/** A device that says late that it is lost, and for what reason: a driver's losses have none. */
const silent = (device: GPUDevice, reason: GPUDeviceLostReason, milliseconds: number): GPUDevice => {
  const lost = device.lost.then(async (info) => {
    await new Promise((resume) => setTimeout(resume, milliseconds));
    return replacing(info, { reason });
  });
  return replacing(device, { lost });
};

describe("a kernel that loses the device", () => {
  gpuTest.for([
    ["unknown", 0, "is set aside"],
    ["unknown", 1500, "is set aside"],
    ["destroyed", 0, "is not to blame"],
    ["destroyed", 1500, "is not to blame"],
  ] as const)("again, for the reason %s, %d ms later, %s", async ([reason, milliseconds], { engine: shared }) => {
    const kernels = kernelsOf(shared);
    let losses = 0;
    /** A device that goes where these kernels first run on it. */
    const fragile = async (): Promise<GPUDevice> => {
      const real = await newDevice();
      let isBroken = false;
      let isGone = false;
      const { device, faults } = failingDevice(real);
      faults.onDispatch = (_, label) => {
        isBroken ||= kernels.includes(label);
      };
      faults.onSubmit = () => {
        if (!isBroken || isGone || losses === 2) return;
        isGone = true;
        losses++;
        real.destroy();
      };
      return silent(device, reason, milliseconds);
    };
    using engine = await createEngine({ device: await fragile(), reacquire: fragile, onWarning: () => undefined });
    const x = engine.tensor(X, INPUT, { keep: true });
    const w = engine.tensor(W, WEIGHT, { keep: true });
    for (let attempt = 0; attempt < 2; attempt++) {
      const { lost } = engine;
      using y = engine.conv2d(x, w);
      await expect(y.data()).rejects.toThrow(/lost|failed/);
      await (
        await lost
      ).recovered;
    }
    using y = engine.conv2d(x, w);
    expect([...(await y.data())]).toEqual(Y);
    expect(losses).toBe(2);
    if (reason === "unknown") {
      expect(engine.kernelFaults).toMatchObject([{ reason: "lost the device" }]);
      expect(kernelsOf(engine)).not.toEqual(kernels);
    } else {
      expect(engine.kernelFaults).toEqual([]);
      expect(kernelsOf(engine)).toEqual(kernels);
    }
  });
});
