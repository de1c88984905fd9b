/** Engines on devices that get kernels wrong, and what they tell of it. */
import type { Engine, EngineOptions, Tensor } from "webgpu-conv";
import { createEngine } from "test-engine";
import { type Faults, failingDevice } from "./failingDevice.js";
import { deviceOf } from "./gpuTest.js";

export interface BrokenEngine extends Disposable {
  readonly engine: Engine;
  readonly faults: Faults;
  readonly warnings: string[];
  /** Labels of kernels that were compiled. */
  readonly compiled: string[];
}

/** An engine whose device changes kernels' texts as `rewrite` says. */
export async function brokenEngine(
  shared: Engine,
  rewrite: NonNullable<Faults["rewrite"]>,
  options: EngineOptions = {},
): Promise<BrokenEngine> {
  const { device, faults } = failingDevice(deviceOf(shared));
  const compiled: string[] = [];
  faults.rewrite = (code, label) => {
    compiled.push(label);
    return rewrite(code, label);
  };
  const warnings: string[] = [];
  const engine = await createEngine({ device, onWarning: (message) => warnings.push(message), ...options });
  return { engine, faults, warnings, compiled, [Symbol.dispose]: () => engine.dispose() };
}

/** A text that no compiler takes. */
export const notCompiling = (code: string): string =>
  code.replace(/fn main\([^{]*\{/, (line) => `${line} let wrong = undeclared;`);

/** A tensor's values. It is disposed of. */
export async function valuesOf(tensor: Tensor): Promise<number[]> {
  const values = [...(await tensor.data())];
  tensor.dispose();
  return values;
}
