/** Engines for which ordinary work is long. */
import { Engine } from "webgpu-conv";
import { Context } from "../../src/api/context.js";
import { EngineCore } from "../../src/api/engineCore.js";
import { GpuBackend } from "../../src/gpu/gpuBackend.js";
import { Tuning } from "../../src/tuner/tuning.js";

/** An engine on that device which cuts dispatches into parts of so many milliseconds by the model. */
export function engineOfParts(device: GPUDevice, longestMilliseconds: number): Engine {
  const backend = new GpuBackend(device, { ownsDevice: false, poolBytes: 2 ** 26, poison: false, longestMilliseconds });
  const tuning = new Tuning(backend, { mode: "off", store: undefined, warn: () => undefined });
  return new Engine(new Context(new EngineCore(backend, tuning, undefined)));
}

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
