/** Operations in pieces, as data: what runs where a device cannot bind the tensors as a whole. */
import type { ConvOperation, TensorRole } from "../problem/operation.js";

/** A block of a tensor, row-major: where it begins along each dimension, and its extents. */
export interface Region {
  readonly whole: readonly number[];
  readonly begin: readonly number[];
  readonly shape: readonly number[];
  readonly elementBytes: number;
}

/** What a piece computes of a result: `from` is of the piece's own tensor, `to` of the whole's. */
export interface ResultRegion {
  readonly from: Region;
  readonly to: Region;
}

/** An operation on parts of the tensors of another. */
export interface Piece {
  readonly operation: ConvOperation;
  readonly operands: ReadonlyMap<TensorRole, Region>;
  readonly results: ReadonlyMap<TensorRole, ResultRegion>;
}

/** A piece with its plan, and the key of that plan. */
export interface PlannedPiece<Plan> extends Piece {
  readonly plan: Plan;
  readonly key: string;
  /** Of a part of sums of float16: what the plan computes in float32 once it has widened the operands. */
  readonly widened?: { readonly operation: ConvOperation; readonly plan: Plan };
}

/** How an operation runs in pieces. */
export interface Pieces<Plan> {
  /** What the device cannot bind, in words. */
  readonly why: string;
  /** How many pieces there are along each axis that is cut, by its name. */
  readonly along: Readonly<Record<string, number>>;
  /** In the order in which they run. */
  readonly pieces: readonly PlannedPiece<Plan>[];
  /**
   * How many pieces one after the other compute parts of the sums of the same results, in float32, which are then added; 1 where
   * each piece has results of its own, with the bits of the whole.
   */
  readonly sumParts: number;
}
