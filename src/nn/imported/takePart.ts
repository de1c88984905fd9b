/** Parts of a tensor as files cut them: from and to indices of either end, every so many, and backwards. */
import type { SliceNode } from "../../io/graph.js";
import type { Tensor } from "../../tensor/tensor.js";
import { slice } from "../operations/concat.js";
import { avgPool2d } from "../operations/pooling/averagePool.js";
import { reshape } from "../operations/reshape.js";
import { pad } from "../operations/resizing/pad.js";

/** The part, as a new tensor. */
export function takePart(x: Tensor, { axis, start, end, part, step = 1 }: SliceNode): Tensor {
  const along = axis < 0 ? axis + x.shape.length : axis;
  const extent = x.shape[along];
  const index = (at: number): number => Math.min(Math.max(at < 0 ? at + extent : at, 0), extent);
  if (part) {
    const size = Math.ceil(extent / part.of);
    return slice(x, part.index * size, index((part.index + 1) * size), along);
  }
  if (step === 1) return slice(x, index(start), index(end ?? extent), along);
  // Backwards the start is the last one, and the end, which is left out, lies before the first.
  const [first, behind] =
    step > 0 ? [index(start), index(end ?? extent)] : [end === undefined ? 0 : index(end + 1 || extent), 0];
  const last = step > 0 ? behind : Math.min(index(start), extent - 1) + 1;
  const whole = slice(x, first, last, along);
  const y = everyOf(whole, along, step);
  whole.dispose();
  return y;
}

/**
 * Each `step`-th along an axis: means of windows of one element, which are those elements. Backwards they are mirrored at the first one,
 * and what was there is cropped.
 */
function everyOf(x: Tensor, axis: number, step: number): Tensor {
  const { shape } = x;
  const product = (extents: readonly number[]): number => extents.reduce((size, extent) => size * extent, 1);
  const [before, extent, behind] = [product(shape.slice(0, axis)), shape[axis], product(shape.slice(axis + 1))];
  const owned: Tensor[] = [reshape(x, [before, 1, extent, behind])];
  const next = (make: (tensor: Tensor) => Tensor): number => owned.push(make(owned[owned.length - 1]));
  try {
    if (step < 0 && extent > 1) {
      const padding = [
        [extent - 1, 1 - extent],
        [0, 0],
      ] as const;
      next((tensor) => pad(tensor, { padding, paddingMode: "reflect" }));
    }
    if (Math.abs(step) > 1) next((tensor) => avgPool2d(tensor, { kernel: 1, stride: [Math.abs(step), 1] }));
    const result = shape.map((own, at) => (at === axis ? Math.ceil(extent / Math.abs(step)) : own));
    return reshape(owned[owned.length - 1], result);
  } finally {
    for (const tensor of owned) tensor.dispose();
  }
}
