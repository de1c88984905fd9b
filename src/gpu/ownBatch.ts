/**
 * Batches of their own, which do not go to the device's queue: of a caller's encoder, or of a sequence. Until the caller has
 * submitted an encoder, its results cannot be used elsewhere, and no memory changes hands: other work might use it first.
 */
import { DeviceError, textOf } from "../base/errors.js";
import { Batch, type RecordedOperation } from "./recording/batch.js";
import { disposedError } from "./device/deviceErrors.js";
import type { Target } from "./recording/openBatch.js";
import type { DeviceParts } from "./parts.js";
import { failStorage, type GpuStorage } from "./device/storage.js";
import { encodePass } from "./recording/submissions.js";

/**
 * A batch with what `record` records. Everything recorded before is submitted: it may use what `record` disposes of.
 * Where `record` throws, what it recorded is dropped and its memory given back.
 */
function recordBatch({ recorder }: DeviceParts, target: Target, record: () => void): Batch {
  const { open, memory } = recorder;
  open.requireOutside("recording once more");
  void recorder.flush();
  const batch = new Batch();
  try {
    open.recordInto(batch, target, record);
    return batch;
  } catch (error) {
    const cause = new DeviceError(`never computed: the recording threw ${textOf(error)}`, { cause: error });
    for (const { writes } of batch.operations) for (const storage of writes) failStorage(storage, cause);
    for (const storage of updatesOf(batch)) storage.unsubmitted = undefined;
    memory.forget(batch);
    throw error;
  }
}

/** What the batch of a caller's encoder changes in place. */
const updatesOf = (batch: Batch): GpuStorage[] =>
  batch.operations.flatMap(({ updates = [] }) => updates).filter(({ unsubmitted }) => unsubmitted === batch);

/** A batch with what `record` records, to be replayed. Nothing of it runs yet. `memory.forget` gives its memory back. */
export const recordSequence = (parts: DeviceParts, record: () => void): Batch => recordBatch(parts, "sequence", record);

/**
 * Writes what `record` records into a caller's encoder, as a compute pass. Everything recorded before is submitted.
 *
 * @returns to be called once the encoder was submitted, or given up
 */
export async function encodeInto(
  parts: DeviceParts,
  encoder: GPUCommandEncoder,
  record: () => void,
): Promise<() => void> {
  const { recorder, memory, pool, life, reports } = parts;
  const batch = recordBatch(parts, "encoder", record);
  memory.openEncoder();
  const onSubmitted = (): void => {
    for (const { writes } of batch.operations) for (const storage of writes) storage.unsubmitted = undefined;
    for (const storage of updatesOf(batch)) {
      storage.unsubmitted = undefined;
      storage.version++;
    }
    memory.closeEncoder(batch);
  };
  try {
    await recorder.flush();
    await batch.ready();
    await pool.allocator.arrived();
    // It may read results of a submission that the device refuses.
    await recorder.settled();
    if (life.disposed) throw disposedError();
    const leftOut = new Map<RecordedOperation, DeviceError>();
    encodePass(encoder, { operations: batch.operations, timing: undefined }, leftOut);
    for (const error of leftOut.values()) reports.fail(error);
  } catch (error) {
    onSubmitted();
    throw error;
  }
  let told = false;
  return () => {
    if (!told) onSubmitted();
    told = true;
  };
}
