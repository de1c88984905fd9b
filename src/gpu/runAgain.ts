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
import { preparePiece, preparePlan } from "./preparePlan.js";
import type { Batch, RecordedOperation, Repaired } from "./recording/batch.js";

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

/**
 * An operation as it is recorded: without repairs while weights are known to be finite, and with what runs it again, should the trial of
 * its kernels fail.
 */
export function recordedAs(
  parts: DeviceParts,
  recorded: Recorded,
  prepared: PreparedPlan,
  all: readonly RecordedDispatch[],
): RecordedOperation {
  const { operands, writes, safe } = recorded;
  const dispatches = safe ? all.filter(({ repairs }) => !repairs) : all;
  const isLess = safe && dispatches.length < all.length;
  const repaired = (): Repaired => {
    const unsafe = { ...recorded, safe: undefined };
    return { dispatches: all, ...untilTried(parts, unsafe, prepared.trialOf(true)) };
  };
  return {
    reads: Object.values(operands),
    writes,
    label: prepared.label,
    dispatches,
    ...(isLess && { repaired: { weights: safe, operation: repaired } }),
    ...untilTried(parts, recorded, prepared.trialOf(!safe)),
  };
}

/** What a recorded operation needs to be run again, should the trial fail. Nothing where its kernels have passed. */
function untilTried(
  parts: DeviceParts,
  recorded: Recorded,
  trial: Trial | undefined,
): Pick<RecordedOperation, "trial" | "again"> {
  const hasPassed = trial === undefined || trial.verdict === "passed";
  return hasPassed ? {} : { trial, again: (batch) => runAgain(parts, recorded, trial, batch) };
}

/** A piece of an operation (inPieces.ts) whose kernels may be new on the adapter, bound to these buffers. */
export interface TriedPiece {
  readonly trial: Trial;
  readonly operation: ConvOperation;
  /** Whether it is a part of sums of float16, which stays float32. */
  readonly isWidened: boolean;
  readonly buffers: OperationBuffers;
  /** Of the whole. */
  readonly choice: SolverChoice | undefined;
}

/** Likewise of a piece. `recordedWith` puts dispatches between the piece's copies. */
export function untilPieceTried(
  parts: DeviceParts,
  tried: TriedPiece | undefined,
  recordedWith: (dispatches: RecordedDispatch[]) => RecordedOperation,
): Pick<RecordedOperation, "trial" | "again"> {
  if (tried?.trial.verdict !== "pending") return {};
  const { trial, operation, isWidened, buffers, choice } = tried;
  const again = (batch: Batch): RecordedOperation =>
    orError(parts, trial, choice, recordedWith([]), () => {
      const prepared = preparePiece(parts, operation, isWidened);
      const dispatches = bindAgain(parts, prepared, buffers, batch);
      const nextTrial = prepared.trialOf(true);
      const next = nextTrial && { ...tried, trial: nextTrial };
      return { ...recordedWith(dispatches), ...untilPieceTried(parts, next, recordedWith) };
    });
  return { trial, again };
}

/** What `make` gives, as an operation's replacement; `failed` with an error where no other solver may do it, or none can. */
export function orError(
  { vetting }: DeviceParts,
  { error }: Trial,
  choice: SolverChoice | undefined,
  failed: RecordedOperation,
  make: () => RecordedOperation,
): RecordedOperation {
  let reason = error;
  try {
    if (choice === undefined || isReplaceable(choice)) return make();
  } catch (cause) {
    reason ??= new DeviceError(textOf(cause), { cause });
  }
  // Who calls it again gets another attempt, where the cause may have passed.
  vetting?.relent();
  return { ...failed, dispatches: [], error: reason ?? new DeviceError("its kernels do not work on this device") };
}

function runAgain(parts: DeviceParts, recorded: Recorded, failed: Trial, batch: Batch): RecordedOperation {
  const { operation, operands, choice, key, writes } = recorded;
  const reads = Object.values(operands);
  return orError(parts, failed, choice, { dispatches: [], reads, writes }, () => {
    const buffers: OperationBuffers = { unused: parts.unused };
    for (const [role, { pooled }] of entriesOf(operands)) buffers[role] = pooled;
    for (const [i, role] of resultRoles(operation).entries()) buffers[role] = writes[i].pooled;
    const prepared = preparePlan(parts, operation, choice, key);
    return recordedAs(parts, recorded, prepared, bindAgain(parts, prepared, buffers, batch));
  });
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
