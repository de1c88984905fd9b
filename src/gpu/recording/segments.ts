/**
 * Segments: the parts of a batch that are submitted one by one. Mostly there is one. Values that the host writes come between
 * two of them. Operations on callers' buffers have segments of their own: the device refuses a command buffer as a whole, and
 * a caller's buffer may be destroyed or mapped by then. Long work is divided, so that the device is free for others in between.
 */
import type { Batch, RecordedCopy, RecordedOperation, RecordedUpload } from "./batch.js";
import type { GpuStorage } from "../device/storage.js";

/** Where the device writes the times at which the passes of a batch begin and end. */
export interface BatchTiming {
  readonly querySet: GPUQuerySet;
  readonly beginIndex: number;
  readonly endIndex: number;
  /** Copies the times out. */
  readonly resolve: (encoder: GPUCommandEncoder) => void;
}

/** Which of them a pass writes. */
export interface PassTiming {
  readonly writes: GPUComputePassTimestampWrites;
  /** Only in the last pass. */
  readonly resolve: BatchTiming["resolve"] | undefined;
}

/** Its parts run in this order. */
export interface Segment {
  readonly uploads: readonly RecordedUpload[];
  /** Those that are called off are replaced. */
  readonly operations: RecordedOperation[];
  readonly copies: readonly RecordedCopy[];
  readonly timing: PassTiming | undefined;
  /** Predicted. */
  readonly milliseconds: number;
}

interface Open {
  readonly uploads: RecordedUpload[];
  readonly operations: RecordedOperation[];
  readonly copies: RecordedCopy[];
  /** The key of the callers' buffers that all of it uses. */
  readonly borrowed: string;
}

/** The callers' buffers among storages, as a key; empty where there are none. */
function borrowedKey(storages: readonly GpuStorage[]): string {
  let key = "";
  for (const { pooled } of storages) if (pooled.borrowed) key += `${String(pooled.id)},`;
  return key;
}

function borrowedBy({ reads, writes }: RecordedOperation): string {
  const key = borrowedKey(reads);
  return writes.some(({ pooled }) => pooled.borrowed) ? `${key} ${borrowedKey(writes)}` : key;
}

const needsParts = ({ operations, uploads, copies }: Batch): boolean =>
  uploads.length > 0 ||
  copies.some(({ source }) => source.pooled.borrowed) ||
  operations.some((operation) => borrowedBy(operation) !== "");

/** Predicted milliseconds of operations. */
export function millisecondsOf(operations: readonly RecordedOperation[]): number {
  let sum = 0;
  for (const { dispatches } of operations) for (const { milliseconds } of dispatches) sum += milliseconds;
  return sum;
}

/** @param longest predicted milliseconds of a segment, from which on it is divided */
export function segmentsOf(batch: Batch, timing: BatchTiming | undefined, longest: number): Segment[] {
  const { operations, copies, uploads } = batch;
  const whole: Open = { uploads, operations, copies, borrowed: "" };
  const parts = (needsParts(batch) ? divide(batch) : [whole]).flatMap((part) => shortened(part, longest));
  if (parts.length === 1 && parts[0] === whole && operations.length + copies.length === 0 && !timing) return [];
  if (timing && operationless(parts)) parts.push({ uploads: [], operations: [], copies: [], borrowed: "" });
  const timed = operationless(parts) ? parts.slice(-1) : parts.filter((part) => part.operations.length > 0);
  return parts.map((part) => ({
    ...part,
    timing: timing && timingOf(timing, timed.indexOf(part), timed.length),
    milliseconds: millisecondsOf(part.operations),
  }));
}

const operationless = (parts: readonly Open[]): boolean => parts.every(({ operations }) => operations.length === 0);

/** A part in pieces of at most so many milliseconds. An operation that takes longer is divided between its dispatches. */
function shortened(part: Open, longest: number): Open[] {
  const { operations, uploads, copies, borrowed } = part;
  if (!(millisecondsOf(operations) > longest)) return [part];
  const pieces: RecordedOperation[][] = [[]];
  let sum = 0;
  for (const operation of operations) {
    const { dispatches } = operation;
    let from = 0;
    for (const [i, { milliseconds }] of dispatches.entries()) {
      if (sum > 0 && sum + milliseconds > longest) {
        if (i > from) pieces[pieces.length - 1].push(pieceOf(operation, from, i));
        pieces.push([]);
        [from, sum] = [i, 0];
      }
      sum += milliseconds;
    }
    pieces[pieces.length - 1].push(pieceOf(operation, from, dispatches.length));
  }
  return pieces.map((piece, i) => ({
    operations: piece,
    uploads: i === 0 ? uploads : [],
    copies: i === pieces.length - 1 ? copies : [],
    borrowed,
  }));
}

/** Some dispatches of an operation. All but the first piece build on what the one before wrote, and fail where that failed. */
function pieceOf(operation: RecordedOperation, from: number, end: number): RecordedOperation {
  const { dispatches, reads, writes, updates = [] } = operation;
  if (from === 0 && end === dispatches.length) return operation;
  return {
    ...operation,
    ...(updates.length > 0 && { all: dispatches }),
    dispatches: dispatches.slice(from, end),
    reads: from === 0 ? reads : [...reads, ...writes],
    copyBefore: from === 0 ? operation.copyBefore : undefined,
    copyAfter: end === dispatches.length ? operation.copyAfter : undefined,
  };
}

function divide({ operations, uploads, copies }: Batch): Open[] {
  const parts: Open[] = [];
  const open = (borrowed: string, ends: (last: Open) => boolean): Open => {
    const last = parts.at(-1);
    if (last?.borrowed === borrowed && !ends(last)) return last;
    const part: Open = { uploads: [], operations: [], copies: [], borrowed };
    parts.push(part);
    return part;
  };
  let next = 0;
  const uploadUntil = (count: number): void => {
    for (; next < uploads.length && uploads[next].after <= count; next++) {
      const upload = uploads[next];
      open(borrowedKey([upload.target]), (last) => last.operations.length > 0).uploads.push(upload);
    }
  };
  for (const [i, operation] of operations.entries()) {
    uploadUntil(i);
    open(borrowedBy(operation), () => false).operations.push(operation);
  }
  uploadUntil(operations.length);
  for (const copy of copies) open(borrowedKey([copy.source]), () => false).copies.push(copy);
  return parts;
}

/** The first pass writes when it begins, the last one when it ends. */
function timingOf(timing: BatchTiming, pass: number, passes: number): PassTiming | undefined {
  const { querySet, beginIndex, endIndex, resolve } = timing;
  const isLast = pass === passes - 1;
  if (pass < 0 || (pass > 0 && !isLast)) return undefined;
  const begin = pass === 0 ? { beginningOfPassWriteIndex: beginIndex } : {};
  const end = isLast ? { endOfPassWriteIndex: endIndex } : {};
  return { writes: { querySet, ...begin, ...end }, resolve: isLast ? resolve : undefined };
}
