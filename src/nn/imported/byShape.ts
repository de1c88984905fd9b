/** Options of operations that follow from the shape of what they run on. */
import { require, show } from "../../base/errors.js";
import type { ConvolutionNode, PadNode } from "../../io/graph.js";
import { halvesOf } from "../../io/transposedPads.js";

/** A convolution's options; where the file has a transposed one's extents, the padding that makes them. */
export function convolutionOptions(
  { rank, options, wanted }: ConvolutionNode,
  x: readonly number[],
  w: readonly number[],
): ConvolutionNode["options"] {
  if (!wanted) return options;
  const { stride, dilation, extra, size, odd } = wanted;
  require(x.length === rank + 2, () => `x has shape ${show([...x])}; expected ${String(rank + 2)} axes`);
  const excess = size.map((extent, axis) => {
    const span = dilation[axis] * (w[2 + axis] - 1) + 1;
    return stride[axis] * (x[2 + axis] - 1) + extra[axis] + span - extent;
  });
  return {
    ...options,
    padding: excess.map((most) => halvesOf(most, odd)),
    outputPadding: extra.map((rows, axis) => rows + Math.max(-excess[axis], 0)),
  };
}

/** Pairs of all axes, from those of positions, or those that the file names. */
export function allPads({ padding, axes, layout }: PadNode, shape: readonly number[]): PadNode["padding"] {
  const none: readonly [number, number] = [0, 0];
  // Their own axes are as many as x has, or the operation says so.
  if (!axes) return [none, none, ...padding];
  require(shape.length > 1, () => `x has shape ${show([...shape])}; expected two axes at least`);
  const pairs = shape.map(() => none);
  for (const [i, axis] of axes.entries()) {
    const at = axis < 0 ? axis + shape.length : axis;
    require(at >= 0 && at < shape.length && layout === "channels-first", () => {
      return `x has shape ${show([...shape])} and axis ${String(axis)} is padded; expected one of its axes`;
    });
    pairs[at] = padding[i];
  }
  return pairs;
}
