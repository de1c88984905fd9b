/** Gradients of operands that were broadcast: sums over what they were broadcast along. */
import type { DType } from "../../problem/dtype.js";
import type { Layout } from "../../problem/layout.js";
import type { Tensor } from "../../tensor/tensor.js";
import { broadcastAxes } from "../core/broadcast.js";
import type { Term } from "../core/terms.js";
import { runElementwise } from "./elementwise.js";
import { runReduce } from "./reduce.js";

/** The gradient of an operand, at each element of the whole. */
export interface GradientTerm {
  readonly name: string;
  readonly term: Term;
  readonly scale?: number;
  readonly delta?: number;
  /** The shape that operands were broadcast to. */
  readonly whole: readonly number[];
  readonly dtype: DType;
  readonly layout: Layout;
}

/**
 * The gradient of `operand`, of its shape: the term of `given`, summed over the axes that the operand was broadcast along.
 *
 * @returns a new tensor, or the first of `given` where that is the gradient as it is
 */
export function gradientFor(operand: Tensor, given: readonly (Tensor | number)[], parts: GradientTerm): Tensor {
  const { whole, layout, term, scale = 1 } = parts;
  const { shape } = operand;
  const over = broadcastAxes(shape, whole, layout);
  if (over.length > 0 || shape.length !== whole.length) return runReduce(given, { ...parts, over, shape });
  const [first] = given;
  if (term === "identity" && scale === 1 && typeof first !== "number" && first.size === operand.size) return first;
  return runElementwise(given, { ...parts, shape });
}
