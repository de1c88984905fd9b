/** What the soak holds: tensors, what they must hold, and sequences. */
import type { Compiled, Tensor } from "webgpu-conv/node";
import { describeProblem } from "../../test/support/randomProblem.js";
import type { Mortal } from "./faults.js";
import type { Layer, Role } from "./layers.js";

/** Sums of integers: a right value is off by less than this, a wrong one by at least 1. */
const HALF = 0.5;

/** A tensor, and what it must hold. */
export interface Item extends Mortal {
  readonly tensor: Tensor;
  readonly layer: Layer;
  readonly expected: ArrayLike<number>;
}

export interface Input extends Item {
  readonly role: Role;
  readonly set: number;
}

/** A compiled forward pass, and its operands. */
export interface HeldSequence {
  readonly layer: Layer;
  readonly x: Input;
  readonly w: Input;
  readonly compiled: Compiled<Tensor>;
}

/** Throws at the first value that is wrong. */
export function compare({ layer, tensor, expected }: Item, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (Math.abs(values[i] - expected[i]) < HALF) continue;
    const where = `${describeProblem(layer.described)}, shape [${tensor.shape.join(",")}], element ${String(i)}`;
    throw new Error(`${where} is ${String(values[i])}; expected ${String(expected[i])}`);
  }
}
