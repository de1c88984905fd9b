/** Runs operations that name their tensors themselves (planning/tensorOperation.ts). */
import { entriesOf } from "../base/entries.js";
import type { BindingSource, SolverPlan } from "../planning/solver.js";
import { named, selectTensorSolver, type TensorOperation } from "../planning/tensorOperation.js";
import type { PooledBuffer } from "./device/bufferPool.js";
import { bytesOfValues, type GpuStorage } from "./device/storage.js";
import type { DeviceParts } from "./parts.js";
import type { OperationBuffers, PreparedPlan } from "./pipelines/prepared.js";
import { acquireScratch } from "./runOperation.js";

/**
 * Records an operation.
 *
 * @param operands by name, as the operation has them
 * @returns new storages, in the order of its results
 */
export function runTensorOperation(
  parts: DeviceParts,
  operation: TensorOperation,
  operands: Readonly<Record<string, GpuStorage>>,
): GpuStorage[] {
  const { life, recorder, memory, capabilities, pieces, unused } = parts;
  life.require();
  const reads = Object.values(operands);
  for (const storage of reads) {
    recorder.requireUsable(storage);
    pieces?.requireBindable(storage, capabilities, operation.name);
  }
  const prepared = prepare(parts, operation);
  const buffers: OperationBuffers = { unused };
  for (const [name, { pooled }] of entriesOf(operands)) buffers[named(name)] = pooled;
  const taken: PooledBuffer[] = [];
  const writes: GpuStorage[] = [];
  try {
    acquireScratch(parts, prepared.scratch, buffers, taken);
    for (const [name, { shape, dtype }] of Object.entries(operation.results)) {
      const storage = memory.allocate(shape, dtype, "device");
      writes.push(storage);
      buffers[named(name)] = storage.pooled;
    }
  } catch (error) {
    for (const pooled of [...taken, ...writes.map((storage) => storage.pooled)]) memory.release(pooled);
    throw error;
  }
  const updates = (operation.updates ?? []).map((name) => operands[name]);
  recorder.open.batch.expect(unused);
  recorder.record({ reads, writes, updates, dispatches: prepared.bind(buffers), label: prepared.label });
  for (const pooled of taken) memory.release(pooled);
  return writes;
}

function prepare({ plans, labels, capabilities, timedBy }: DeviceParts, operation: TensorOperation): PreparedPlan {
  const { name, operands, results, key } = operation;
  const specs = new Map(
    [...Object.entries(operands), ...Object.entries(results)].map(([tensor, spec]) => [named(tensor), spec] as const),
  );
  const bytesOf = (source: BindingSource): number => {
    const { shape, dtype } = specs.get(source as ReturnType<typeof named>) ?? { shape: [0], dtype: "float32" };
    return bytesOfValues(
      shape.reduce((size, extent) => size * extent, 1),
      dtype,
    );
  };
  const plan = (): SolverPlan => timedBy(selectTensorSolver(operation, capabilities).plan, bytesOf);
  return plans.get(`${name} ${key}`, plan, () => undefined, labels && (() => name));
}
