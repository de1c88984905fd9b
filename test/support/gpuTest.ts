/** Tests on a device: one engine a file, each test in a validation error scope, results poisoned with NaN. */
import type { Engine } from "webgpu-conv";
import { afterAll, test as base, expect } from "vitest";
import { createEngine } from "test-engine";

let shared: Promise<Engine> | undefined;

/** The file's engine. Tests leave it as they found it: tensors disposed of, nothing pending. */
export function sharedEngine(): Promise<Engine> {
  shared ??= createEngine({ poison: true });
  return shared;
}

afterAll(async () => {
  (await shared)?.dispose();
  shared = undefined;
});

/** `test` with an `engine`; fails when the device reports a validation error, or when tensors are left behind. */
export const gpuTest = base.extend<{ engine: Engine }>({
  engine: async ({}, use) => {
    const engine = await sharedEngine();
    const { device } = engine;
    if (!device) throw new Error("GPU tests need a GPU engine");
    const before = engine.memory().liveTensors;
    device.pushErrorScope("validation");
    await use(engine);
    await engine.finish();
    const error = await device.popErrorScope();
    expect(error?.message).toBeUndefined();
    expect(engine.memory().liveTensors - before, "tensors left alive by the test").toBe(0);
  },
});
