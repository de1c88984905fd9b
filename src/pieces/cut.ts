/**
 * Cuts operations into pieces that a device can bind: over samples first, then over channels of the result, then over positions, the
 * outermost axis first. Pieces have the bits of the whole, but where a single sum reads more than a binding holds: such sums are
 * computed in parts.
 */
import { ConvError, LimitError } from "../base/errors.js";
import { lengthOf } from "../problem/axis.js";
import { product } from "../problem/geometry.js";
import { type Alignment, alignmentOf } from "../planning/order.js";
import type { Capabilities } from "../planning/capabilities.js";
import type { Piece, Pieces, PlannedPiece } from "../planning/pieces.js";
import type { SolverPlan } from "../planning/solver.js";
import type { ConvOperation } from "../problem/operation.js";
import type { AlikePlans } from "./alike.js";
import { axesFor, isSumAxis, mayCut } from "./axes.js";
import { makePiece, regionBytes } from "./piece.js";
import {
  type Counts,
  CUT_AXES,
  type CutAxis,
  extentOf,
  type Range,
  type Ranges,
  rangesAlong,
  UNCUT,
  uncutRange,
} from "./ranges.js";
import { copyRefusal, wholeOf } from "./regions.js";

/** Why pieces cannot run: a buffer of theirs is too large to bind; or what has to do with how they were cut. */
interface Failure {
  readonly tooLarge?: { readonly name: string; readonly bytes: number };
  readonly reason: string;
}

const PARTIAL_BYTES = 4;

/** Cuts one operation. */
export class Cutting {
  readonly #operation: ConvOperation;
  readonly #most: number;
  readonly #alike: AlikePlans;
  readonly #alignment: Alignment;

  constructor(operation: ConvOperation, capabilities: Capabilities, alike: AlikePlans) {
    const { direction, problem } = operation;
    const { maxStorageBufferBindingSize, maxBufferSize } = capabilities.limits;
    this.#operation = operation;
    this.#most = Math.min(maxStorageBufferBindingSize, maxBufferSize);
    this.#alike = alike;
    const transposed = direction === "inputGradient";
    this.#alignment =
      transposed || direction === "forward"
        ? alignmentOf({ problem, transposed }, alike.whole)
        : { units: [1, 1, 1], inBlocks: false };
  }

  /** @throws LimitError where no pieces can be bound. */
  cut(): Pieces<SolverPlan> {
    let counts = UNCUT;
    const first = this.#failureOf(counts);
    for (let failure = first; failure; failure = this.#failureOf(counts)) counts = this.#refine(counts, failure);
    const along = CUT_AXES.map((axis) => [axis, this.#ranges(axis, counts).length] as const);
    const sums = along.filter(([axis]) => isSumAxis(this.#operation, axis));
    return {
      why: first?.reason ?? "",
      along: Object.fromEntries(along.filter(([, count]) => count > 1)),
      pieces: this.#all(counts).map((piece) => this.#planned(piece, counts)),
      sumParts: sums.reduce((parts, [, count]) => parts * count, 1),
    };
  }

  /**
   * Twice as many pieces along the first axis that helps; where that makes no pieces, more of them. Parts of sums are the last resort.
   */
  #refine(counts: Counts, failure: Failure): Counts {
    const axes = axesFor(this.#operation, failure.tooLarge?.name);
    const isSum = (axis: CutAxis): boolean => isSumAxis(this.#operation, axis);
    const reasons: string[] = [];
    const next =
      this.#finer(
        counts,
        axes.filter((axis) => !isSum(axis)),
        reasons,
      ) ?? this.#finer(counts, axes.filter(isSum), reasons);
    if (next) return next;
    const why = reasons.at(-1) ?? "there is nothing to cut";
    throw new LimitError(
      `${failure.reason}, and no smaller pieces can be: ${why}. Expected smaller tensors, or a device that binds more`,
    );
  }

  /** @param reasons gets why pieces cannot be */
  #finer(counts: Counts, axes: readonly CutAxis[], reasons: string[]): Counts | undefined {
    for (let more = 2; axes.some((axis) => counts[axis] * more < 2 * extentOf(this.#operation, axis)); more *= 2) {
      for (const axis of axes) {
        const next = { ...counts, [axis]: counts[axis] * more };
        if (!mayCut(this.#operation, axis, counts)) continue;
        if (this.#ranges(axis, next).length === this.#ranges(axis, counts).length) continue;
        const wrong = this.#failureOf(next);
        if (!wrong || wrong.tooLarge) return next;
        reasons.push(wrong.reason);
      }
    }
    return undefined;
  }

  #ranges(axis: CutAxis, counts: Counts): readonly Range[] {
    return counts[axis] === 1
      ? [uncutRange(this.#operation, axis, this.#alignment)]
      : rangesAlong(this.#operation, axis, counts[axis], this.#alignment);
  }

  #sumsParts(counts: Counts): number {
    const axes = CUT_AXES.filter((axis) => isSumAxis(this.#operation, axis));
    return axes.reduce((parts, axis) => parts * this.#ranges(axis, counts).length, 1);
  }

  /** What is wrong with the pieces; undefined where nothing is. */
  #failureOf(counts: Counts): Failure | undefined {
    try {
      for (const piece of this.#distinct(counts)) {
        const failure = this.#failureOfPiece(piece, counts);
        if (failure) return failure;
      }
    } catch (error) {
      if (!(error instanceof ConvError)) throw error;
      return { reason: error.message };
    }
    return undefined;
  }

  #failureOfPiece({ operation, operands, results }: Piece, counts: Counts): Failure | undefined {
    const parts = this.#sumsParts(counts);
    const made = [...results].map(([role, { from }]) => [role, { ...from, shape: from.whole }] as const);
    for (const [role, region] of [...operands, ...made]) {
      const failure = this.#beyond(role, regionBytes(region));
      if (failure) return failure;
    }
    const copied = [
      ...[...operands].map(([role, region]) => [role, region, wholeOf(region.shape, region.elementBytes)] as const),
      ...[...results].map(([role, { from, to }]) => [role, from, to] as const),
    ];
    for (const [role, from, to] of copied) {
      const reason = copyRefusal(role, from, to);
      if (reason !== undefined) return { reason };
    }
    for (const [, { from }] of results) {
      const bytes = PARTIAL_BYTES * parts * product(from.whole);
      const failure = parts > 1 ? this.#beyond("partials", bytes) : undefined;
      if (failure) return failure;
    }
    const planned = parts > 1 ? this.#alike.planForSums(operation) : this.#alike.planFor(operation);
    if (!planned) return { reason: "its pieces would add in another order than the whole" };
    for (const [name, bytes] of Object.entries(planned.plan.scratchBytes)) {
      const failure = this.#beyond(name, bytes);
      if (failure) return failure;
    }
    return undefined;
  }

  #beyond(name: string, bytes: number): Failure | undefined {
    if (bytes <= this.#most) return undefined;
    const most = `${this.#most.toLocaleString("en")} bytes (maxStorageBufferBindingSize)`;
    return {
      tooLarge: { name, bytes },
      reason: `${name} has ${bytes.toLocaleString("en")} bytes, and the device binds ${most}`,
    };
  }

  #planned(piece: Piece, counts: Counts): PlannedPiece<SolverPlan> {
    const planned =
      this.#sumsParts(counts) > 1 ? this.#alike.planForSums(piece.operation) : this.#alike.planFor(piece.operation);
    if (!planned) throw new LimitError("a piece has no plan");
    return { ...piece, ...planned };
  }

  /** All pieces: those that compute parts of the same sums one after the other. */
  #all(counts: Counts): readonly Piece[] {
    const axes = [...CUT_AXES].sort((one, other) => this.#rank(one) - this.#rank(other));
    return this.#combined(axes.map((axis) => [axis, this.#ranges(axis, counts)] as const));
  }

  /** Outer axes first: channels vary fastest, so that what they share is copied once; parts of a sum vary fastest of all. */
  #rank(axis: CutAxis): number {
    if (isSumAxis(this.#operation, axis)) return 2;
    return axis === "output channels" || axis === "input channels" ? 1 : 0;
  }

  /** A piece of each shape. */
  #distinct(counts: Counts): readonly Piece[] {
    return this.#combined(
      CUT_AXES.map((axis) => {
        const byShape = new Map<string, Range>();
        for (const range of this.#ranges(axis, counts)) {
          const { wanted, spans, pads } = range;
          const from = wanted.begin - spans[1].begin;
          byShape.set(JSON.stringify([lengthOf(wanted), from, spans.map(lengthOf), pads]), range);
        }
        return [axis, [...byShape.values()]] as const;
      }),
    );
  }

  #combined(axes: readonly (readonly [CutAxis, readonly Range[]])[]): Piece[] {
    let all: Partial<Ranges>[] = [{}];
    for (const [axis, ranges] of axes) all = all.flatMap((some) => ranges.map((range) => ({ ...some, [axis]: range })));
    return all.map((ranges) => this.#make(ranges as Ranges));
  }

  #make(ranges: Ranges): Piece {
    for (const axis of CUT_AXES) {
      const { wanted, spans } = ranges[axis];
      if (isSumAxis(this.#operation, axis) && lengthOf(wanted) !== lengthOf(spans[1])) {
        throw new LimitError(`parts along ${axis} would count some positions twice`);
      }
    }
    return makePiece(this.#operation, ranges);
  }
}
