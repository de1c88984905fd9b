/**
 * Segments: the parts of a batch that are submitted one by one. Mostly there is one. Values that the host writes come between
 * two of them. Operations on callers' buffers have segments of their own: the device refuses a command buffer as a whole, and
 * a caller's buffer may be destroyed or mapped by then.
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
  readonly operations: readonly RecordedOperation[];
  readonly copies: readonly RecordedCopy[];
  readonly timing: PassTiming | undefined;
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

export function segmentsOf(batch: Batch, timing: BatchTiming | undefined): readonly Segment[] {
  if (!needsParts(batch)) {
    const { operations, copies } = batch;
    if (operations.length === 0 && copies.length === 0 && !timing) return [];
    return [{ uploads: [], operations, copies, timing: timing && timingOf(timing, 0, 1) }];
  }
  const parts = divide(batch);
  if (timing && operationless(parts)) parts.push({ uploads: [], operations: [], copies: [], borrowed: "" });
  const timed = operationless(parts) ? parts.slice(-1) : parts.filter(({ operations }) => operations.length > 0);
  return parts.map((part) => ({ ...part, timing: timing && timingOf(timing, timed.indexOf(part), timed.length) }));
}

const operationless = (parts: readonly Open[]): boolean => parts.every(({ operations }) => operations.length === 0);

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
