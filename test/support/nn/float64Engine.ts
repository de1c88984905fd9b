/** An engine on the host that keeps every value in float64: small differences of its results are derivatives. */
import { Engine, type Tensor } from "webgpu-conv";
import { Context } from "../../../src/api/context.js";
import { EngineCore } from "../../../src/api/engineCore.js";
import type { RoleStorages, TensorStorage } from "../../../src/backend/backend.js";
import { CpuBackend, computeOnHost } from "../../../src/cpu/cpuBackend.js";
import type { Numbers, TensorOperation } from "../../../src/planning/tensorOperation.js";
import type { StoredValues } from "../../../src/problem/dtype.js";
import type { ConvOperation } from "../../../src/problem/operation.js";
import { Tuning } from "../../../src/tuner/tuning.js";

interface Float64Storage extends TensorStorage {
  values: Float64Array;
}

const store = (values: Float64Array): Float64Storage => ({
  values,
  dtype: "float32",
  size: values.length,
  bytes: 8 * values.length,
});

const valuesIn = (storage: TensorStorage | undefined): Float64Array => (storage as Float64Storage).values;

class Float64Backend extends CpuBackend {
  override upload(values: StoredValues): never {
    return store(Float64Array.from(values)) as never;
  }

  override write(storage: never, values: StoredValues): Promise<void> {
    valuesIn(storage).set(values);
    return Promise.resolve();
  }

  override run(operation: ConvOperation, operands: RoleStorages): never {
    return computeOnHost(operation, operands as never).map(store) as never;
  }

  override runTensors(
    { compute, results, updates = [] }: TensorOperation,
    operands: Record<string, TensorStorage>,
  ): never {
    const given = Object.entries(operands).map(([name, storage]) => [name, valuesIn(storage)] as const);
    const computed: Readonly<Record<string, Numbers>> = compute(Object.fromEntries(given));
    for (const name of updates) valuesIn(operands[name]).set(computed[name]);
    return Object.keys(results).map((name) => store(Float64Array.from(computed[name]))) as never;
  }

  override release(): void {
    // Collected.
  }
}

export interface Float64Engine {
  readonly engine: Engine;
  /** A tensor of these values, unrounded. */
  tensor(values: ArrayLike<number>, shape: readonly number[]): Tensor;
  /** The values of a tensor, unrounded. */
  values(tensor: Tensor): Float64Array;
}

export function makeFloat64Engine(): Float64Engine {
  const backend = new Float64Backend();
  const warn = (): void => undefined;
  const core = new EngineCore(backend, new Tuning(backend, { mode: "off", store: undefined, warn }), undefined);
  const context = new Context(core);
  return {
    engine: new Engine(context),
    tensor: (values, shape) => context.adopt(shape, store(Float64Array.from(values))),
    values: (tensor) => valuesIn(context.storageOf(tensor)),
  };
}
