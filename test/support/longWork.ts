/** Engines for which ordinary work is long. */
import { Engine, type Tensor } from "webgpu-conv";
import { expect } from "vitest";
import { Context } from "../../src/api/context.js";
import { EngineCore } from "../../src/api/engineCore.js";
import { GpuBackend } from "../../src/gpu/gpuBackend.js";
import { Tuning } from "../../src/tuner/tuning.js";
import { Random, reals } from "./data.js";
import { deviceOf } from "./gpuTest.js";

/** An engine on that device which cuts dispatches into parts of so many milliseconds by the model. */
export function engineOfParts(device: GPUDevice, longestMilliseconds: number): Engine {
  const backend = new GpuBackend(device, { ownsDevice: false, poolBytes: 2 ** 26, poison: false, longestMilliseconds });
  const tuning = new Tuning(backend, { mode: "off", store: undefined, warn: () => undefined });
  return new Engine(new Context(new EngineCore(backend, tuning, undefined)));
}

export const SIZE = 40;
export const CHANNELS = 16;
export const SHAPE = [1, CHANNELS, SIZE, SIZE];
/** Of a layer's parts here, by the model. */
export const LONGEST = 0.04;
/** One whose workgroups are many. */
export const OPTIONS = { padding: 1, solver: "direct" } as const;

export interface Layers {
  readonly x: Tensor;
  readonly w: Tensor;
}

export const inputs = (engine: Engine): Layers => ({
  x: engine.tensor(reals(new Random(1), CHANNELS * SIZE * SIZE), SHAPE),
  w: engine.tensor(reals(new Random(2), CHANNELS * CHANNELS * 9), [CHANNELS, CHANNELS, 3, 3]),
});

/** What a layer gives on an engine that runs it whole. */
export async function expected(engine: Engine, depth: number): Promise<Float32Array> {
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
export async function withParts(whole: Engine, body: (engine: Engine, layers: Layers) => Promise<void>): Promise<void> {
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

export const reasonOf = async (promise: Promise<unknown>): Promise<unknown> =>
  await promise.then(
    () => "resolved",
    (reason: unknown) => reason,
  );

/** A signal that counts its listeners. */
export class CountedSignal {
  aborted = false;
  reason: unknown;
  readonly listeners = new Set<() => void>();

  addEventListener(_type: "abort", listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.listeners.delete(listener);
  }

  abort(reason: unknown): void {
    this.aborted = true;
    this.reason = reason;
    for (const listener of [...this.listeners]) listener();
  }
}
