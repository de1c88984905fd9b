/** Views: the same values in another shape, without a copy. */
import { require, show } from "../../base/errors.js";
import { listOf, type NumberList } from "../../base/list.js";
import { product } from "../../problem/geometry.js";
import type { Tensor } from "../../tensor/tensor.js";
import { contextOf, showShape, specOf } from "../core/operation.js";
import { recordStep } from "../tape/step.js";

/**
 * The same values, row-major, in another shape. The result shares the memory of `x`, which lives as long as either of them; what is
 * written to one the other has, too.
 *
 * @param shape extents; one of them may be -1: whatever is left
 * @throws ArgumentError where the shape has another number of elements.
 */
export function reshape(x: Tensor, shape: NumberList): Tensor {
  specOf(x, "x");
  require(listOf(shape) !== undefined, () => `shape is ${show(shape)}; expected an array of extents`);
  const extents = resolve(x, Array.from(shape));
  const y = contextOf(x, "x").view(x, extents);
  recordStep({
    name: "reshape",
    inputs: [x],
    outputs: [y],
    saved: [],
    backward: ([dy]) => [dy && contextOf(dy, "dy").view(dy, x.shape)],
  });
  return y;
}

/** {@link reshape} to `[N, rest]`. */
export function flatten(x: Tensor): Tensor {
  specOf(x, "x");
  return reshape(x, [x.shape[0], product(x.shape.slice(1))]);
}

function resolve({ shape, size }: Tensor, wanted: readonly number[]): number[] {
  const known = wanted.filter((extent) => extent !== -1);
  const rest = size / product(known);
  const isValid = known.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
  const extents = wanted.map((extent) => (extent === -1 ? rest : extent));
  require(isValid &&
    wanted.length - known.length <= 1 &&
    Number.isSafeInteger(rest) &&
    product(extents) === size, () => {
    return `shape is ${showShape(wanted)}; expected one with the ${String(size)} elements of ${showShape(shape)}, where one extent may be -1`;
  });
  return extents;
}
