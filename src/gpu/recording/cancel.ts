/** Calls work off that is recorded and not yet submitted. */
import { memoryOf } from "../../backend/backend.js";
import type { CancelError } from "../../base/errors.js";
import type { Allocation } from "../device/allocation.js";
import type { GpuStorage } from "../device/storage.js";
import type { RecordedOperation } from "./batch.js";
import type { Segment } from "./segments.js";

/** A read that waits for its values. */
export interface Read {
  readonly source: GpuStorage;
  readonly target: Allocation;
}

/**
 * Takes the dispatches of operations away, so that what they write gets the error.
 *
 * Of a read, what it needs goes; otherwise all of `from`. What other reads need stays, and so does what packs weights: later
 * operations may count on it. So do changes in place, with what they need: a tensor that lacked one would hold values, and
 * nothing would tell that they are older.
 *
 * @param from what was recorded before the call that is called off
 * @param queued all that is not submitted yet
 */
export function callOff(
  from: readonly Segment[],
  queued: readonly Segment[],
  read: Read | undefined,
  error: CancelError,
): void {
  const copies = queued.flatMap((segment) => segment.copies).filter(({ target }) => target !== read?.target);
  const updated = queued.flatMap(({ operations }) => operations.flatMap(({ updates = [] }) => updates));
  const kept = neededFor(queued, [...copies.map(({ source }) => source), ...updated]);
  const wanted = read && neededFor(queued, [read.source]);
  for (const { operations } of from) {
    for (const [i, operation] of operations.entries()) {
      if (kept.has(operation) || operation.packs || wanted?.has(operation) === false) continue;
      operations[i] = { ...operation, dispatches: [], error };
    }
  }
}

/** The operations that compute the storages, and what those read. */
function neededFor(segments: readonly Segment[], storages: readonly GpuStorage[]): Set<RecordedOperation> {
  const wanted = new Set(storages.map(memoryOf));
  const needed = new Set<RecordedOperation>();
  for (const operation of segments.flatMap(({ operations }) => operations).reverse()) {
    const { writes, updates = [] } = operation;
    if (![...writes, ...updates].some((storage) => wanted.has(memoryOf(storage)))) continue;
    needed.add(operation);
    for (const storage of operation.reads) wanted.add(memoryOf(storage));
  }
  return needed;
}
