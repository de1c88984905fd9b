/** Operations of networks as code calls them, for a device that is not there: nothing is computed. */
import { Context } from "../../../src/api/context.js";
import { Engine } from "../../../src/api/engine.js";
import { EngineCore } from "../../../src/api/engineCore.js";
import type { TensorStorage } from "../../../src/backend/backend.js";
import { CpuBackend } from "../../../src/cpu/cpuBackend.js";
import type { TensorOperation } from "../../../src/planning/tensorOperation.js";
import { BYTES_PER_ELEMENT, type DType, type StoredValues } from "../../../src/problem/dtype.js";
import { product } from "../../../src/problem/geometry.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { Tuning } from "../../../src/tuner/tuning.js";

const empty = (shape: readonly number[], dtype: DType): TensorStorage => {
  const size = product(shape);
  return { dtype, size, bytes: size * BYTES_PER_ELEMENT[dtype] };
};

/** Tensors have no memory, and operations are noted. */
class NotingBackend extends CpuBackend {
  readonly operations: TensorOperation[] = [];

  override upload(_values: StoredValues, shape: readonly number[], dtype: DType): never {
    return empty(shape, dtype) as never;
  }

  override runTensors(operation: TensorOperation): never {
    this.operations.push(operation);
    return Object.values(operation.results).map(({ shape, dtype }) => empty(shape, dtype)) as never;
  }

  override release(): void {
    // There is nothing.
  }
}

/** What a function is given. */
export interface Recording {
  readonly engine: Engine;
  readonly tensor: (shape: readonly number[], dtype?: DType) => Tensor;
}

/** The operations that a function runs, in order. */
export function operationsOf(run: (recording: Recording) => void): readonly TensorOperation[] {
  const backend = new NotingBackend();
  const warn = (): void => undefined;
  const core = new EngineCore(backend, new Tuning(backend, { mode: "off", store: undefined, warn }), undefined);
  const context = new Context(core);
  run({
    engine: new Engine(context),
    tensor: (shape, dtype = "float32") => context.adopt(shape, empty(shape, dtype)),
  });
  return backend.operations;
}
