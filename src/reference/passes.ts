/** Arguments of the passes. */
import type { Activation } from "../problem/activation.js";

/** The passes that sum products. */
export type PassDirection = "forward" | "inputGradient" | "weightGradient" | "biasGradient";

/** Values a pass reads, in the reference's own order. */
export interface PassOperands {
  readonly x?: ArrayLike<number> | undefined;
  readonly w?: ArrayLike<number> | undefined;
  readonly dy?: ArrayLike<number> | undefined;
  readonly bias?: ArrayLike<number> | undefined;
  readonly residual?: ArrayLike<number> | undefined;
}

/** An activation whose slopes, if it is a prelu, are numbers. */
export type ReferenceActivation = Activation<ArrayLike<number>>;

/** What is added to the sums, and what is applied to them. */
export interface ForwardExtras {
  /** One value an output channel. */
  readonly bias?: ArrayLike<number> | undefined;
  /** Values shaped as the result. */
  readonly residual?: ArrayLike<number> | undefined;
  readonly activation?: ReferenceActivation | undefined;
}
