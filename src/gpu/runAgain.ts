/** Runs an operation by other kernels, before it is submitted, where those that it was recorded with failed their trial. */
import type { RoleStorages } from "../backend/backend.js";
import { entriesOf } from "../base/entries.js";
import { DeviceError, textOf } from "../base/errors.js";
import { isReplaceable, type SolverChoice } from "../planning/choice.js";
import { type ConvOperation, resultRoles } from "../problem/operation.js";
import type { GpuStorage } from "./device/storage.js";
import type { DeviceParts } from "./parts.js";
import type { OperationBuffers, PreparedPlan, RecordedDispatch } from "./pipelines/prepared.js";
import type { Trial } from "./pipelines/trial.js";
import { preparePlan } from "./preparePlan.js";
import type { Batch, RecordedOperation } from "./recording/batch.js";

/** What was recorded. */
export interface Recorded {
  readonly operation: ConvOperation;
  readonly operands: RoleStorages<GpuStorage>;
  readonly choice: SolverChoice | undefined;
  /** `keyOf(operation)` */
  readonly key: string;
  /** Weights that are finite for certain when this runs; undefined where that is not known. */
  readonly safe: GpuStorage | undefined;
  /** Its results, in the order of `resultRoles`. */
  readonly writes: readonly GpuStorage[];
}

/** The dispatches to be recorded: without repairs while weights are known to be finite. */
export function withRepairs(
  all: readonly RecordedDispatch[],
  safe: GpuStorage | undefined,
): Pick<RecordedOperation, "dispatches" | "repaired"> {
  const dispatches = safe ? all.filter(({ repairs }) => !repairs) : all;
  const isLess = safe && dispatches.length < all.length;
  return { dispatches, ...(isLess && { repaired: { weights: safe, dispatches: all } }) };
}

/** What a recorded operation needs to be run again, should the trial fail. Nothing where its kernels have passed. */
export function untilTried(
  parts: DeviceParts,
  recorded: Recorded,
  trial: Trial | undefined,
): Pick<RecordedOperation, "trial" | "again"> {
  return trial?.verdict === "pending" ? { trial, again: (batch) => runAgain(parts, recorded, trial, batch) } : {};
}

function runAgain(parts: DeviceParts, recorded: Recorded, { error }: Trial, batch: Batch): RecordedOperation {
  const { operation, operands, choice, key, safe, writes } = recorded;
  const reads = Object.values(operands);
  const fail = (cause: DeviceError): RecordedOperation => {
    // Nothing else will do. Who calls it again gets another attempt, where the cause may have passed.
    parts.vetting?.relent();
    return { dispatches: [], reads, writes, error: cause };
  };
  if (error && choice !== undefined && !isReplaceable(choice)) return fail(error);
  try {
    const buffers: OperationBuffers = { unused: parts.unused };
    for (const [role, { pooled }] of entriesOf(operands)) buffers[role] = pooled;
    for (const [i, role] of resultRoles(operation).entries()) buffers[role] = writes[i].pooled;
    const prepared = preparePlan(parts, operation, choice, key);
    const { label, trial } = prepared;
    const dispatched = withRepairs(bindAgain(parts, prepared, buffers, batch), safe);
    return { reads, writes, label, ...dispatched, ...untilTried(parts, recorded, trial) };
  } catch (cause) {
    return fail(error ?? new DeviceError(textOf(cause), { cause }));
  }
}

/** Binds a plan with scratch memory of its own: what other operations of the batch share is spoken for. */
export function bindAgain(
  { pool }: DeviceParts,
  prepared: PreparedPlan,
  buffers: OperationBuffers,
  batch: Batch,
): RecordedDispatch[] {
  for (const [name, bytes] of entriesOf(prepared.scratch)) {
    const pooled = pool.acquire(bytes);
    buffers[name] = pooled;
    batch.expect(pooled);
    batch.afterwards.push(() => pool.release(pooled));
  }
  return prepared.bind(buffers);
}
