/**
 * Submissions to the queue, until the device has judged them.
 *
 * WebGPU refuses a command buffer as a whole, and says so later. All that it should have written is then marked, and all that
 * later submissions computed from that. A result is given out only once its submission is known to be sound.
 */
import { DeviceError } from "../../base/errors.js";
import { popReason } from "../device/allocation.js";
import type { RecordedCopy, RecordedOperation } from "./batch.js";
import { errorOf, failStorage, type GpuStorage, memoryError } from "../device/storage.js";
import type { PassTiming, Segment } from "./segments.js";

const NOTHING = new Uint8Array();

/** A segment on the queue. */
interface Submission {
  readonly segment: Segment;
  /** Operations that were left out, and why. */
  readonly leftOut: ReadonlyMap<RecordedOperation, DeviceError>;
  /** Why copies have no values. */
  readonly copyErrors: Map<RecordedCopy, DeviceError>;
  error: DeviceError | undefined;
}

export class Submissions {
  readonly #device: GPUDevice;
  readonly #onFailure: (error: DeviceError) => void;
  /** Those that the device has not judged yet, in order. */
  readonly #pending: Submission[] = [];
  #settled: Promise<void> = Promise.resolve();

  /** @param onFailure called where work is lost */
  constructor(device: GPUDevice, onFailure: (error: DeviceError) => void) {
    this.#device = device;
    this.#onFailure = onFailure;
  }

  /** Resolves, never rejects, once the device has judged all that was submitted. */
  settled(): Promise<void> {
    return this.#settled;
  }

  /** Encodes a segment and submits it. Never throws: a failure marks the storages that it should have written. */
  submit(segment: Segment): void {
    const leftOut = new Map<RecordedOperation, DeviceError>();
    const submission: Submission = { segment, leftOut, copyErrors: new Map(), error: undefined };
    try {
      this.#track(submission, () => this.#encode(submission, leftOut));
    } catch (cause) {
      submission.error = refused(cause instanceof Error ? cause.message : String(cause), cause);
      this.#fail(submission.error);
    }
    for (const error of leftOut.values()) this.#onFailure(error);
  }

  /**
   * Runs `write`, which submits a storage's values by itself.
   *
   * @throws whatever `write` throws
   */
  write(target: GpuStorage, write: () => void): void {
    const upload = { target, values: NOTHING, after: 0 };
    const segment: Segment = { uploads: [upload], operations: [], copies: [], timing: undefined, milliseconds: 0 };
    this.#track({ segment, leftOut: new Map(), copyErrors: new Map(), error: undefined }, write);
  }

  /** Calls `submit`, and waits for the device's judgement. */
  #track(submission: Submission, submit: () => void): void {
    this.#device.pushErrorScope("validation");
    try {
      submit();
    } finally {
      const reason = popReason(this.#device);
      this.#pending.push(submission);
      this.#settled = reason.then((message) => {
        if (message !== undefined) submission.error ??= refused(message);
        this.#settle(submission);
      });
    }
  }

  #encode({ segment, copyErrors }: Submission, leftOut: Map<RecordedOperation, DeviceError>): void {
    const { queue } = this.#device;
    for (const { target, values } of segment.uploads) {
      // There was no room for it: the device would refuse the submission. The tensor has that error.
      if (target.pooled.error) continue;
      queue.writeBuffer(target.pooled.buffer, target.pooled.offset, values);
      target.error = undefined;
    }
    if (segment.operations.length === 0 && segment.copies.length === 0 && !segment.timing) return;
    const encoder = this.#device.createCommandEncoder({ label: "webgpu-conv" });
    if (segment.operations.length > 0 || segment.timing) encodePass(encoder, segment, leftOut);
    segment.timing?.resolve?.(encoder);
    for (const copy of segment.copies) {
      const { source, target } = copy;
      const error = errorOf(source) ?? (target.error && memoryError("memory to read back", target.error));
      if (error) copyErrors.set(copy, error);
      else encoder.copyBufferToBuffer(source.pooled.buffer, source.pooled.offset, target.buffer, 0, source.bytes);
    }
    queue.submit([encoder.finish()]);
  }

  #settle(submission: Submission): void {
    if (submission.error) this.#fail(submission.error);
    this.#pending.splice(this.#pending.indexOf(submission), 1);
    for (const copy of submission.segment.copies) copy.settle(submission.copyErrors.get(copy));
  }

  /** A submission failed. Marks what it should have written, and what was computed from that since. */
  #fail(error: DeviceError): void {
    for (const submission of this.#pending) mark(submission);
    this.#onFailure(error);
  }
}

const refused = (reason: string, cause?: unknown): DeviceError =>
  new DeviceError(`the device refused the submission: ${reason}`, { cause });

/** Updates the errors of what a submission writes by those of what it reads. */
function mark({ segment, leftOut, copyErrors, error }: Submission): void {
  for (const { target } of segment.uploads) target.error = error;
  for (const operation of segment.operations) {
    const why = error ?? leftOut.get(operation) ?? firstError(operation.reads);
    for (const storage of operation.writes) storage.error = why;
  }
  for (const copy of segment.copies) {
    const why = error ?? copyErrors.get(copy) ?? errorOf(copy.source);
    if (why) copyErrors.set(copy, why);
  }
}

function firstError(storages: readonly GpuStorage[]): DeviceError | undefined {
  for (const storage of storages) {
    const error = errorOf(storage);
    if (error) return error;
  }
  return undefined;
}

/**
 * Encodes the operations of a segment, or of work for a caller's encoder. An operation that cannot be encoded is left out, and
 * the storages that it should have written are marked.
 */
export function encodePass(
  encoder: GPUCommandEncoder,
  { operations, timing }: Pick<Segment, "operations" | "timing">,
  leftOut: Map<RecordedOperation, DeviceError>,
): void {
  const description = describePass(operations, timing);
  let pass = encoder.beginComputePass(description);
  /** Copies are made between passes. The time at which the last one ends counts. */
  const copy = (encodeCopies: RecordedOperation["copyBefore"]): void => {
    if (!encodeCopies) return;
    pass.end();
    encodeCopies(encoder);
    pass = encoder.beginComputePass(description && withoutBegin(description));
  };
  for (const operation of operations) {
    let error = failureOf(operation);
    if (!error) {
      copy(operation.copyBefore);
      error = encodeOperation(pass, operation);
      copy(operation.copyAfter);
    }
    if (error) leftOut.set(operation, error);
    for (const storage of operation.writes) {
      if (error) failStorage(storage, error);
      else storage.error = undefined;
    }
  }
  pass.end();
}

function withoutBegin({ timestampWrites: times, ...rest }: GPUComputePassDescriptor): GPUComputePassDescriptor {
  if (times?.endOfPassWriteIndex === undefined) return rest;
  const { querySet, endOfPassWriteIndex } = times;
  return { ...rest, timestampWrites: { querySet, endOfPassWriteIndex } };
}

/** A pass has a label where its operations have labels. */
function describePass(
  operations: readonly RecordedOperation[],
  timing: PassTiming | undefined,
): GPUComputePassDescriptor | undefined {
  const timed = timing && { timestampWrites: timing.writes };
  const named = operations.length > 0 && operations[0].label !== undefined;
  return named ? { label: `webgpu-conv: ${String(operations.length)} operations`, ...timed } : timed;
}

function encodeOperation(pass: GPUComputePassEncoder, operation: RecordedOperation): DeviceError | undefined {
  const { dispatches, label } = operation;
  if (label === undefined) return encodeDispatches(pass, dispatches);
  pass.pushDebugGroup(label);
  const error = encodeDispatches(pass, dispatches);
  pass.popDebugGroup();
  return error;
}

function encodeDispatches(
  pass: GPUComputePassEncoder,
  dispatches: RecordedOperation["dispatches"],
): DeviceError | undefined {
  try {
    for (const { pipeline, bindGroup, workgroups } of dispatches) {
      if (!pipeline.pipeline) return new DeviceError(`kernel ${pipeline.label} was submitted before it compiled`);
      pass.setPipeline(pipeline.pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
    }
    return undefined;
  } catch (cause) {
    return new DeviceError(`an operation could not be encoded: ${String(cause)}`, { cause });
  }
}

/**
 * Why an operation fails: it was called off, a kernel of its own failed, or one that computes its operands, or there was no room
 * for its operands, results or scratch memory.
 */
function failureOf(operation: RecordedOperation): DeviceError | undefined {
  const { dispatches, all = dispatches, reads, writes, error: calledOff } = operation;
  if (calledOff) return calledOff;
  for (const { pipeline, uniforms } of all) {
    const error = pipeline.error ?? uniforms.error;
    if (error) return error;
  }
  const failed = firstError(reads);
  if (failed) return failed;
  for (const storage of writes) if (storage.pooled.error) return errorOf({ ...storage, error: undefined });
  for (const { buffers } of all) {
    for (const name in buffers) {
      const error = buffers[name]?.error;
      if (error) return memoryError(`scratch memory (${name})`, error);
    }
  }
  return undefined;
}
