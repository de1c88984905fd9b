/** Tests on a device: one engine a file, each test in a validation error scope, results poisoned with NaN. */
import type { Engine } from "webgpu-conv";
import { afterAll, test as base, expect } from "vitest";
import { createEngine } from "test-engine";
import { type Capabilities, readCapabilities } from "../../src/planning/capabilities.js";
import { FeatureRecorder } from "./features.js";
import { PlanRunner } from "./planRunner.js";

interface Shared {
  /** The file's engine, as tests use it: what they cover is recorded. */
  readonly engine: Engine;
  readonly recorder: FeatureRecorder;
  readonly device: GPUDevice;
  readonly runner: PlanRunner;
  readonly capabilities: Capabilities;
}

let shared: Promise<Shared> | undefined;

async function makeShared(): Promise<Shared> {
  const recorder = new FeatureRecorder(await createEngine({ poison: true }));
  const { engine } = recorder;
  const device = deviceOf(engine);
  return { engine, recorder, device, runner: new PlanRunner(device), capabilities: readCapabilities(device) };
}

/** The device of an engine that has one. */
export function deviceOf(engine: Engine): GPUDevice {
  if (!engine.device) throw new Error("GPU tests need a GPU engine");
  return engine.device;
}

afterAll(async () => {
  const made = await shared;
  made?.runner.dispose();
  made?.engine.dispose();
  shared = undefined;
});

/** What a test gets: the file's engine, what its device can do, and a runner of plans on the same device. */
export type GpuFixtures = Omit<Shared, "device" | "recorder">;

interface BareFixture {
  /** The file's engine itself, whose convolutions do not count as covered: for what takes engines. */
  readonly bare: Engine;
}

/**
 * `test` with the file's engine. A test leaves it as found: the test fails when the device reports a validation
 * error, or when tensors or storages are left behind.
 */
export const gpuTest = base.extend<{ shared: Shared } & GpuFixtures & BareFixture>({
  shared: async ({ task }, use) => {
    shared ??= makeShared();
    const made = await shared;
    const { engine, recorder, device, runner } = made;
    const tensorsBefore = engine.memory().liveTensors;
    const bytesBefore = runner.liveBytes;
    device.pushErrorScope("validation");
    recorder.take();
    await use(made);
    task.meta.coverage = recorder.take();
    await engine.finish();
    await runner.recorder.submit();
    const error = await device.popErrorScope();
    expect(error?.message).toBeUndefined();
    expect(engine.memory().liveTensors - tensorsBefore, "tensors left alive by the test").toBe(0);
    expect(runner.liveBytes - bytesBefore, "bytes left alive by the test").toBe(0);
  },
  engine: async ({ shared: { engine } }, use) => await use(engine),
  bare: async ({ shared: { recorder } }, use) => await use(recorder.bare),
  runner: async ({ shared: { runner } }, use) => await use(runner),
  capabilities: async ({ shared: { capabilities } }, use) => await use(capabilities),
});
