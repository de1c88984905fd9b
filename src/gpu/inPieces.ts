/**
 * Runs operations on tensors that the device cannot bind as a whole. A piece binds parts of them in place where they lie together and
 * begin as bindings must; other parts are copied, which needs no binding. Loaded where a device's buffers may be larger than what it
 * binds.
 */
import type { RoleStorages } from "../backend/backend.js";
import { entriesOf } from "../base/entries.js";
import { LimitError, show } from "../base/errors.js";
import type { Capabilities } from "../planning/capabilities.js";
import type { SolverChoice } from "../planning/choice.js";
import type { Pieces, PlannedPiece, Region } from "../planning/pieces.js";
import type { SolverPlan } from "../planning/solver.js";
import { product } from "../problem/geometry.js";
import { resultRoles, shapeOfRole, type TensorRole } from "../problem/operation.js";
import { selectAround } from "../pieces/select.js";
import { placeOf, wholeOf, WORD_BYTES } from "../pieces/regions.js";
import { planSum } from "../pieces/sums.js";
import { type PooledBuffer, viewOf } from "./device/bufferPool.js";
import { type GpuStorage, requireReadable } from "./device/storage.js";
import type { DeviceParts, PieceRunner } from "./parts.js";
import { betweenPasses, type Bound, byKernel, type Copy, copyOf, inWords } from "./pieceCopies.js";
import type { OperationBuffers, TryOut } from "./pipelines/prepared.js";
import { trialFor } from "./preparePlan.js";
import type { RecordedOperation } from "./recording/batch.js";
import { type TriedPiece, untilPieceTried } from "./runAgain.js";
import { acquireScratch, packWeights } from "./runOperation.js";

/** Bound as vectors, a buffer of less than one is too small. */
const LEAST_BOUND_BYTES = 256;

class Recording {
  readonly #parts: DeviceParts;
  readonly #operands: RoleStorages<GpuStorage>;
  readonly #reads: readonly GpuStorage[];
  readonly #writes: readonly GpuStorage[];
  readonly #results: ReadonlyMap<TensorRole, GpuStorage>;
  readonly #pieces: Pieces<SolverPlan>;
  /** Copies of operands' parts, which the next piece may read, too. */
  readonly #held = new Map<TensorRole, { readonly key: string; readonly pooled: PooledBuffer }>();
  /** Partial results. */
  readonly #partials = new Map<TensorRole, PooledBuffer>();
  readonly #scratch = new Set<PooledBuffer>();
  readonly #choice: SolverChoice | undefined;
  #begun = false;

  constructor(
    parts: DeviceParts,
    operands: RoleStorages<GpuStorage>,
    results: ReadonlyMap<TensorRole, GpuStorage>,
    pieces: Pieces<SolverPlan>,
    choice: SolverChoice | undefined,
  ) {
    this.#choice = choice;
    this.#parts = parts;
    this.#operands = operands;
    this.#reads = Object.values(operands);
    this.#results = results;
    this.#writes = [...results.values()];
    this.#pieces = pieces;
  }

  record(): void {
    const { pieces, sumParts } = this.#pieces;
    // Before anything is recorded: a caller's buffer may not be one that can be copied.
    for (const { operands } of pieces) {
      for (const [role, region] of operands) {
        const storage = this.#operandOf(role);
        if (storage.pooled.borrowed && !this.#inPlace(storage.pooled, region))
          requireReadable(storage, "running in pieces");
      }
    }
    try {
      pieces.forEach((piece, i) => {
        if (sumParts === 1) this.#recordPiece(piece);
        else this.#recordPart(piece, i % sumParts);
      });
    } finally {
      for (const pooled of [...this.#scratch]) this.#release(pooled);
    }
  }

  /** A piece whose results are parts of the whole's. */
  #recordPiece(piece: PlannedPiece<SolverPlan>): void {
    const buffers: OperationBuffers = {};
    const after: Copy[] = [];
    for (const [role, { from, to }] of piece.results) {
      const { pooled } = this.#resultOf(role);
      const all = product(from.shape) === product(from.whole);
      const bound = all ? this.#inPlace(pooled, to) : undefined;
      buffers[role] = bound ?? this.#acquire(from.elementBytes * product(from.whole));
      if (!bound) after.push(copyOf(buffers[role], from, pooled, to));
    }
    this.#run(piece, buffers, after);
    for (const { source } of after) this.#release(source);
  }

  /** A piece that computes a part of sums. The last one is followed by what adds them. */
  #recordPart(piece: PlannedPiece<SolverPlan>, part: number): void {
    const { sumParts } = this.#pieces;
    const buffers: OperationBuffers = {};
    const after: Copy[] = [];
    for (const [role, { from }] of piece.results) {
      const elements = product(from.whole);
      if (part === 0) this.#partials.set(role, this.#acquire(WORD_BYTES * elements * sumParts));
      const source = (buffers[role] = this.#acquire(WORD_BYTES * elements));
      const target = this.#partials.get(role);
      const place = { whole: [sumParts, elements], begin: [part, 0], shape: [1, elements], elementBytes: WORD_BYTES };
      if (target) after.push(copyOf(source, wholeOf([1, elements], WORD_BYTES), target, place));
    }
    this.#run(piece, buffers, after);
    for (const { source } of after) this.#release(source);
    if (part === sumParts - 1) this.#addParts(piece);
  }

  #addParts({ results }: PlannedPiece<SolverPlan>): void {
    const { plans, capabilities, unused } = this.#parts;
    const { sumParts } = this.#pieces;
    for (const [role, { from, to }] of results) {
      const { pooled, dtype } = this.#resultOf(role);
      const elements = product(from.whole);
      const key = `sum of ${String(sumParts)} parts of ${String(elements)} in ${dtype}`;
      const prepared = plans.get(
        key,
        () => planSum(elements, sumParts, dtype, capabilities),
        () => () => undefined,
        undefined,
      );
      const partials = this.#partials.get(role);
      const bound = this.#inPlace(pooled, to);
      const bias = bound ?? this.#acquire(to.elementBytes * elements);
      const buffers: OperationBuffers = { unused, ...(partials && { partials }), bias };
      const taken: PooledBuffer[] = [];
      acquireScratch(this.#parts, prepared.scratch, buffers, taken);
      taken.forEach((one) => this.#scratch.add(one));
      this.#record(prepared.bind(buffers), [], bound ? [] : [copyOf(bias, from, pooled, to)]);
      for (const one of [...taken, ...(bound ? [] : [bias]), ...(partials ? [partials] : [])]) this.#release(one);
      this.#partials.delete(role);
    }
  }

  #run(piece: PlannedPiece<SolverPlan>, buffers: OperationBuffers, after: readonly Copy[]): void {
    const { plans, unused, labels } = this.#parts;
    const { operation, operands, plan, key, widened } = piece;
    const label = labels && (() => labels.ofOperation(operation));
    const tried = widened ?? piece;
    const tryOut = (): TryOut => trialFor(this.#parts, tried.operation)(tried.plan);
    const prepared = plans.get(key, () => this.#parts.timed(plan, operation), tryOut, label);
    const before: Copy[] = [];
    buffers.unused = unused;
    for (const [role, region] of operands) buffers[role] = this.#operand(role, region, before);
    const isWhole = buffers.w === this.#operands.w?.pooled;
    const packed = packWeights(this.#parts, prepared, operation, isWhole ? this.#operands.w : undefined, buffers);
    for (const [name, storage] of packed?.storages ?? []) buffers[name] = storage.pooled;
    const taken: PooledBuffer[] = [];
    try {
      acquireScratch(this.#parts, packed ? prepared.scratchOncePacked : prepared.scratch, buffers, taken);
    } finally {
      taken.forEach((one) => this.#scratch.add(one));
    }
    labels?.nameBuffers(buffers, operation);
    const trial = prepared.trialOf(true);
    const reads = packed ? [...packed.storages.values()] : [];
    this.#record(
      packed ? prepared.bindOncePacked(buffers) : prepared.bind(buffers),
      before,
      after,
      reads,
      prepared.label,
      trial && {
        trial,
        operation,
        isWidened: widened !== undefined,
        buffers,
        choice: this.#choice,
      },
    );
    taken.forEach((one) => this.#release(one));
  }

  /** Later pieces fail where an earlier one did: they complete what it should have begun. */
  #record(
    dispatches: Bound,
    before: readonly Copy[],
    after: readonly Copy[],
    reads: readonly GpuStorage[] = [],
    label?: string,
    tried?: TriedPiece,
  ): void {
    const { recorder, unused } = this.#parts;
    recorder.open.batch.expect(unused);
    const [first, last] = [byKernel(this.#parts, before), byKernel(this.#parts, after)];
    const own = [...this.#reads, ...(this.#begun ? this.#writes : [])];
    const recordedWith = (steps: Bound): RecordedOperation => ({
      dispatches: [...first, ...steps, ...last],
      reads: own,
      writes: this.#writes,
      label,
      copyBefore: betweenPasses(before),
      copyAfter: betweenPasses(after),
    });
    recorder.record({
      ...recordedWith(dispatches),
      reads: [...own, ...reads],
      ...untilPieceTried(this.#parts, tried, recordedWith),
    });
    this.#begun = true;
  }

  #resultOf(role: TensorRole): GpuStorage {
    const storage = this.#results.get(role);
    if (!storage) throw new Error(`there is no result ${role}`);
    return storage;
  }

  #operandOf(role: TensorRole): GpuStorage {
    const storage = this.#operands[role];
    if (!storage) throw new Error(`there is no operand ${role}`);
    return storage;
  }

  #operand(role: TensorRole, region: Region, before: Copy[]): PooledBuffer {
    const storage = this.#operandOf(role);
    const bound = this.#inPlace(storage.pooled, region);
    if (bound) return bound;
    const { shape, begin, elementBytes } = region;
    const key = [begin, shape].join(";");
    const held = this.#held.get(role);
    if (held?.key === key) return held.pooled;
    if (held) this.#release(held.pooled);
    const pooled = this.#acquire(elementBytes * product(shape));
    this.#held.set(role, { key, pooled });
    before.push(copyOf(storage.pooled, region, pooled, wholeOf(shape, elementBytes)));
    return pooled;
  }

  /** The region of a tensor as a binding, where it lies together and begins as bindings must. */
  #inPlace(pooled: PooledBuffer, region: Region): PooledBuffer | undefined {
    const { maxStorageBufferBindingSize, minStorageBufferOffsetAlignment } = this.#parts.device.limits;
    const { shape, whole, elementBytes } = region;
    const length = product(shape);
    if (length === product(whole) && pooled.bytes <= maxStorageBufferBindingSize) return pooled;
    const start = placeOf(region);
    if (start === undefined) return undefined;
    const [offset, bytes] = [start * elementBytes, length * elementBytes];
    const isLast = start + length === product(whole);
    if ((pooled.offset + offset) % minStorageBufferOffsetAlignment !== 0 || bytes < LEAST_BOUND_BYTES) return undefined;
    if (bytes % WORD_BYTES !== 0 && !isLast) return undefined;
    return viewOf(pooled, offset, inWords(bytes));
  }

  #acquire(bytes: number): PooledBuffer {
    const pooled = this.#parts.memory.acquire(inWords(bytes), "device");
    this.#scratch.add(pooled);
    return pooled;
  }

  #release(pooled: PooledBuffer): void {
    if (this.#scratch.delete(pooled)) this.#parts.memory.release(pooled);
  }
}

/** Throws for a tensor that the device cannot bind as a whole. */
function requireBindable(
  { bytes, shape }: Pick<GpuStorage, "shape" | "bytes">,
  { limits }: Capabilities,
  what: string,
): void {
  const most = limits.maxStorageBufferBindingSize;
  if (bytes <= most) return;
  throw new LimitError(
    `${what} takes a tensor as one binding, and that of shape ${show([...shape])} has ${bytes.toLocaleString("en")} bytes; ` +
      `the device binds ${most.toLocaleString("en")} (maxStorageBufferBindingSize): expected a smaller tensor`,
  );
}

export const PIECES: PieceRunner = {
  selectAround,
  requireBindable,
  run(parts, operation, operands, pieces, choice) {
    const { memory } = parts;
    const results = new Map<TensorRole, GpuStorage>();
    try {
      for (const role of resultRoles(operation)) {
        results.set(role, memory.allocate(shapeOfRole(operation, role), operation.dtype, "device"));
      }
      new Recording(parts, Object.fromEntries(entriesOf(operands)), results, pieces, choice).record();
    } catch (error) {
      for (const { pooled } of results.values()) memory.release(pooled);
      throw error;
    }
    return [...results.values()];
  },
};
