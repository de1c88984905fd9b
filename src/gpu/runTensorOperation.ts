/** Runs operations that name their tensors themselves (planning/tensorOperation.ts). */
import { entriesOf } from "../base/entries.js";
import type { Form } from "../planning/packing.js";
import type { BindingSource, SolverPlan } from "../planning/solver.js";
import { product } from "../problem/geometry.js";
import { named, selectTensorSolver, type TensorOperation, type TensorSpec } from "../planning/tensorOperation.js";
import type { PooledBuffer } from "./device/bufferPool.js";
import { bytesOfValues, type GpuStorage } from "./device/storage.js";
import type { DeviceParts } from "./parts.js";
import type { OperationBuffers, PreparedPlan } from "./pipelines/prepared.js";
import { trialFor } from "./preparePlan.js";
import type { Batch, PackedForm, RecordedOperation } from "./recording/batch.js";
import { bindAgain, orError } from "./runAgain.js";
import { acquireScratch } from "./runOperation.js";

/**
 * Records an operation.
 *
 * @param operands by name, as the operation has them
 * @param form of an operation that is kept: its results
 * @returns storages in the order of its results; new ones, where they are not a form's
 */
export function runTensorOperation(
  parts: DeviceParts,
  operation: TensorOperation,
  operands: Readonly<Record<string, GpuStorage>>,
  form?: PackedForm,
): GpuStorage[] {
  const { life, recorder, memory, packed, capabilities, pieces, unused } = parts;
  life.require();
  const reads = Object.values(operands);
  for (const storage of reads) {
    recorder.requireUsable(storage);
    pieces?.requireBindable(storage, capabilities, operation.name);
  }
  const results = Object.entries(operation.results);
  for (const [, spec] of results) {
    pieces?.requireBindable({ ...spec, bytes: bytesOf(spec) }, capabilities, operation.name);
  }
  if (operation.isKept && !form) {
    const tensors = Object.fromEntries(results.map(([name, spec]) => [named(name), spec]));
    const made: Form = { key: operation.key, packed: tensors, keptFrom: 1 };
    const kept = packed.use(reads, made, (own) => void runTensorOperation(parts, operation, operands, own));
    if (kept) return [...kept.storages.values()];
  }
  const prepared = prepare(parts, operation);
  const buffers: OperationBuffers = { unused };
  for (const [name, { pooled }] of entriesOf(operands)) buffers[named(name)] = pooled;
  const taken: PooledBuffer[] = [];
  const writes: GpuStorage[] = [];
  try {
    acquireScratch(parts, prepared.scratch, buffers, taken);
    for (const [name, { shape, dtype }] of results) {
      const storage = form?.storages.get(named(name)) ?? memory.allocate(shape, dtype, "device");
      // Forms of a form are of what it was.
      storage.version++;
      writes.push(storage);
      buffers[named(name)] = storage.pooled;
    }
  } catch (error) {
    // Of a form nothing fails once its tensors are listed.
    for (const pooled of [...taken, ...writes.map((storage) => storage.pooled)]) memory.release(pooled);
    throw error;
  }
  const updates = (operation.updates ?? []).map((name) => operands[name]);
  recorder.open.batch.expect(unused);
  const { label } = prepared;
  const recorded: RecordedOperation = {
    reads,
    writes,
    updates,
    dispatches: prepared.bind(buffers),
    label,
    packs: form,
  };
  recorder.record(untilTried(parts, operation, prepared, recorded, buffers));
  for (const pooled of taken) memory.release(pooled);
  return writes;
}

/** An operation as it is recorded: with what runs it again, should the trial of its kernels fail. */
function untilTried(
  parts: DeviceParts,
  operation: TensorOperation,
  tried: PreparedPlan,
  recorded: RecordedOperation,
  buffers: OperationBuffers,
): RecordedOperation {
  const trial = tried.trialOf(true);
  if (trial?.verdict !== "pending") return recorded;
  const again = (batch: Batch): RecordedOperation =>
    orError(parts, trial, undefined, recorded, () => {
      const prepared = prepare(parts, operation);
      const own = { ...buffers };
      const dispatches = bindAgain(parts, prepared, own, batch);
      return untilTried(parts, operation, prepared, { ...recorded, dispatches, label: prepared.label }, own);
    });
  return { ...recorded, trial, again };
}

const bytesOf = ({ shape, dtype }: TensorSpec): number => bytesOfValues(product(shape), dtype);

function prepare(parts: DeviceParts, operation: TensorOperation): PreparedPlan {
  const { plans, labels, capabilities, timedBy, vetting } = parts;
  const { name, operands, results, key } = operation;
  const specs = new Map(
    [...Object.entries(operands), ...Object.entries(results)].map(([tensor, spec]) => [named(tensor), spec] as const),
  );
  const bytesOfBinding = (source: BindingSource): number => {
    const spec = specs.get(source as ReturnType<typeof named>);
    return spec ? bytesOf(spec) : 0;
  };
  const plan = (): SolverPlan => timedBy(selectTensorSolver(operation, capabilities, vetting).plan, bytesOfBinding);
  return plans.get(`${name} ${key}`, plan, trialFor(parts, operation), labels && (() => name));
}
