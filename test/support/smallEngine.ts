/** Engines on devices that report low limits. */
import type { Engine } from "webgpu-conv";
import { createEngine } from "test-engine";
import { expect } from "vitest";
import { deviceOf } from "./gpuTest.js";
import { type LowLimits, type SmallDevice, withLimits } from "./smallDevice.js";

/** Calls `use` with an engine on a test engine's device, which reports these limits. What goes beyond them fails. */
export async function onLimits(
  engine: Engine,
  limits: LowLimits,
  use: (small: Engine, device: SmallDevice) => Promise<void>,
): Promise<void> {
  const device = withLimits(deviceOf(engine), limits);
  const small = await createEngine({ device: device.device, poison: true });
  try {
    await use(small, device);
    await small.finish();
    expect(device.violations).toEqual([]);
    expect(small.memory().liveTensors).toBe(0);
  } finally {
    small.dispose();
  }
}

/** Likewise where the device binds so many bytes. */
export const onBindings = async (
  engine: Engine,
  bytes: number,
  use: (small: Engine, device: SmallDevice) => Promise<void>,
): Promise<void> => await onLimits(engine, { maxStorageBufferBindingSize: bytes }, use);
