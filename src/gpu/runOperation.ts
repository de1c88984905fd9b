/** Runs an operation: prepares its plan, packs weights, takes memory for scratch and results, and records all of it. */
import type { RoleStorages } from "../backend/backend.js";
import { entriesOf } from "../base/entries.js";
import type { SolverChoice } from "../planning/choice.js";
import type { Scratch } from "../planning/solver.js";
import { type ConvOperation, resultRoles, shapeOfRole } from "../problem/operation.js";
import type { PackedForm } from "./recording/batch.js";
import type { PooledBuffer } from "./device/bufferPool.js";
import type { DeviceParts } from "./parts.js";
import type { OperationBuffers, PreparedPlan, RecordedDispatch } from "./pipelines/prepared.js";
import { type GpuStorage, isKnownFinite } from "./device/storage.js";
import { preparePlan } from "./preparePlan.js";
import { type Recorded, recordedAs } from "./runAgain.js";

/**
 * Records an operation.
 *
 * @param key `keyOf(operation)`
 * @returns new storages, in the order of `resultRoles`
 */
export function runOperation(
  parts: DeviceParts,
  operation: ConvOperation,
  operands: RoleStorages<GpuStorage>,
  choice: SolverChoice | undefined,
  key: string,
): GpuStorage[] {
  const { life, recorder, memory, labels, unused } = parts;
  life.require();
  const reads = Object.values(operands);
  for (const storage of reads) recorder.requireUsable(storage);
  const { w: weights } = operands;
  const safe = weights !== undefined && recorder.open.knows && isKnownFinite(weights) ? weights : undefined;
  // The weights of a sequence may be written before a later run.
  const repairs = weights !== undefined && !(safe && recorder.open.isForQueue);
  const planned = repairs ? { ...operation, repairs } : operation;
  const prepared = preparePlan(parts, planned, choice, key);
  if (parts.pieces && prepared.pieces) return parts.pieces.run(parts, operation, operands, prepared.pieces, choice);
  const buffers: OperationBuffers = { unused };
  for (const [role, { pooled }] of entriesOf(operands)) buffers[role] = pooled;
  const packed = packWeights(parts, prepared, operation, operands.w, buffers);
  for (const [name, storage] of packed?.storages ?? []) {
    buffers[name] = storage.pooled;
    reads.push(storage);
  }
  const scratch: PooledBuffer[] = [];
  const writes: GpuStorage[] = [];
  let all: RecordedDispatch[];
  try {
    acquireScratch(parts, packed ? prepared.scratchOncePacked : prepared.scratch, buffers, scratch);
    allocateResults(parts, operation, buffers, writes);
    all = packed ? prepared.bindOncePacked(buffers) : prepared.bind(buffers);
  } catch (error) {
    for (const pooled of [...scratch, ...writes.map((storage) => storage.pooled)]) memory.release(pooled);
    throw error;
  }
  labels?.nameBuffers(buffers, operation);
  recorder.open.batch.expect(unused);
  const recorded: Recorded = { operation: planned, operands, choice, key, safe, writes };
  recorder.record(recordedAs(parts, recorded, prepared, all));
  for (const pooled of scratch) memory.release(pooled);
  return writes;
}

/** Weights in the form that the plan reads, packed now if need be. Undefined where the plan packs none or packs for itself. */
export function packWeights(
  parts: DeviceParts,
  prepared: PreparedPlan,
  operation: ConvOperation,
  weights: GpuStorage | undefined,
  operandBuffers: OperationBuffers,
): PackedForm | undefined {
  const { recorder, memory, labels, packed } = parts;
  const { packing } = prepared;
  if (!packing || !weights) return undefined;
  return packed.use([weights], packing, (form) => {
    const buffers = { ...operandBuffers };
    for (const [name, { pooled }] of form.storages) buffers[name] = pooled;
    const between: PooledBuffer[] = [];
    acquireScratch(parts, packing.between, buffers, between);
    const dispatches = prepared.bindPacking(buffers);
    labels?.nameBuffers(buffers, operation);
    const writes = [...form.storages.values()];
    const { label } = prepared;
    recorder.record({ dispatches, reads: [weights], writes, packs: form, label, trial: prepared.trialOf(false) });
    for (const pooled of between) memory.release(pooled);
  });
}

/**
 * It is free again after the operation, so buffers of earlier ones serve however large they are: the largest first, for which there are
 * the fewest.
 *
 * @param taken gets what was acquired, even where a later buffer fails
 */
export function acquireScratch(
  { memory, capabilities }: DeviceParts,
  scratch: Scratch,
  buffers: OperationBuffers,
  taken: PooledBuffer[],
): void {
  const most = capabilities.limits.maxStorageBufferBindingSize;
  const sorted = entriesOf(scratch).sort(([, one], [, other]) => other - one);
  for (const [name, bytes] of sorted) taken.push((buffers[name] = memory.acquire(bytes, "device", most)));
}

/** @param taken gets what was allocated, even where a later one fails */
function allocateResults(
  { memory }: DeviceParts,
  operation: ConvOperation,
  buffers: OperationBuffers,
  taken: GpuStorage[],
): void {
  for (const role of resultRoles(operation)) {
    const storage = memory.allocate(shapeOfRole(operation, role), operation.dtype, "device");
    buffers[role] = storage.pooled;
    taken.push(storage);
  }
}
