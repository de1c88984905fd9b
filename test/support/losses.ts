/** Devices that are lost, and a layer on an engine that gets over it. */
import type { Engine, Tensor } from "webgpu-conv";
import { expect } from "vitest";
import { createEngine } from "test-engine";
import { deviceOf } from "./gpuTest.js";

export const SHAPE = [1, 1, 2, 2];
export const X = [1, 2, 3, 4];
export const TRIPLED = [3, 6, 9, 12];

/** A layer that triples; both operands are kept. */
export async function makeLayer(options: Parameters<typeof createEngine>[0] = {}) {
  const engine = await createEngine({ recover: true, ...options });
  const x = engine.tensor(X, SHAPE, { keep: true });
  const three = engine.tensor([3], [1, 1, 1, 1], { keep: true });
  const run = (input: Tensor = x): Tensor => engine.conv2d(input, three, { solver: "direct" });
  return { engine, x, three, run, [Symbol.dispose]: () => engine.dispose() };
}

/** Destroys the device, and waits for the engine to have another one. */
export async function lose(engine: Engine) {
  const { lost } = engine;
  deviceOf(engine).destroy();
  const { recovered, reason } = await lost;
  expect(reason).toBe("destroyed");
  return await recovered;
}

/** A device of an engine that nobody holds. */
export const newDevice = async (): Promise<GPUDevice> => deviceOf(await createEngine());

export const valuesOf = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];
