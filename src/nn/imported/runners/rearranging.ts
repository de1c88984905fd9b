/** Runs what moves values, and a softmax. */
import { require, show } from "../../../base/errors.js";
import type { PadNode, ReshapeNode } from "../../../io/graph.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { permute } from "../../operations/permute.js";
import { pixelShuffle } from "../../operations/pixelShuffle.js";
import { reshape } from "../../operations/reshape.js";
import { pad } from "../../operations/resizing/pad.js";
import { softmax } from "../../operations/softmax/index.js";
import { allPads } from "../byShape.js";
import { takePart } from "../takePart.js";
import { requireAxes, type Runners } from "./runner.js";

export const RUNNERS = {
  pad: (node, { value }) => padAxes(value(node.x), node),
  pixelShuffle: ({ x, factor, channelOrder, layout }, { value }) =>
    pixelShuffle(value(x), factor, { channelOrder, layout }),
  slice: (node, { value }) => takePart(value(node.x), node),
  permute(node, { value }) {
    const x = value(node.x);
    const order = node.order ?? x.shape.map((_, i) => x.shape.length - 1 - i);
    requireAxes(x, order.length);
    return permute(x, order);
  },
  softmax: ({ x, axis, isFlattened }, { value }) =>
    isFlattened === true ? softmaxFrom(value(x), axis) : softmax(value(x), axis),
  reshape(node, { value }) {
    const x = value(node.x);
    return reshape(x, shapeOf(x.shape, node));
  },
} satisfies Runners;

/**
 * Along samples and channels first, which are rows and columns then, and positions by themselves: whichever the mode, what lies beyond along
 * one axis is a copy of what lies within, or the same value.
 */
function padAxes(x: Tensor, node: PadNode): Tensor {
  const { paddingMode = "zeros", value = 0, layout } = node;
  const [samples, channels, ...positions] = allPads(node, x.shape);
  const others = { paddingMode, value };
  const has = (pads: readonly (readonly [number, number])[]): boolean => pads.flat().some((count) => count !== 0);
  if (!has([samples, channels])) {
    // Without positions there is nothing that a padding of them could be of.
    return positions.length === 0 ? reshape(x, x.shape) : pad(x, { ...others, padding: positions, layout });
  }
  const behind = x.shape.slice(2);
  using rows = reshape(x, [1, 1, x.shape[0], x.shape[1], behind.reduce((size, extent) => size * extent, 1)]);
  using padded = pad(rows, { ...others, padding: [samples, channels, [0, 0]] });
  const shape = [...padded.shape.slice(2, 4), ...behind];
  if (!has(positions)) return reshape(padded, shape);
  using y = reshape(padded, shape);
  return pad(y, { ...others, padding: positions });
}

function shapeOf(x: readonly number[], { shape, flatFrom, leastAxes }: ReshapeNode): readonly number[] {
  const product = (extents: readonly number[]): number => extents.reduce((size, extent) => size * extent, 1);
  if (leastAxes !== undefined) return [...new Array<number>(Math.max(0, leastAxes - x.length)).fill(1), ...x];
  if (flatFrom !== undefined) {
    const at = flatFrom < 0 ? flatFrom + x.length : flatFrom;
    require(at >= 0 && at <= x.length, () => {
      return `x has shape ${show([...x])}; expected at least ${String(Math.abs(flatFrom))} axes, to be flattened at ${String(flatFrom)}`;
    });
    return [product(x.slice(0, at)), product(x.slice(at))];
  }
  const own = shape.map((extent, i) => (extent === 0 ? x.at(1 + i) : extent));
  return [
    x[0],
    ...own.map((extent, i) => {
      require(extent !== undefined, () => {
        return `x has shape ${show([...x])}; expected more than ${String(1 + i)} axes, for an extent of 0 at that place`;
      });
      return extent;
    }),
  ];
}

/** Over an axis and all behind it. */
function softmaxFrom(x: Tensor, axis: number): Tensor {
  const { shape } = x;
  const first = axis < 0 ? axis + shape.length : axis;
  if (first === shape.length - 1) return softmax(x, first);
  const before = shape.slice(0, first).reduce((product, extent) => product * extent, 1);
  const rows = reshape(x, [before, -1]);
  const y = softmax(rows, 1);
  rows.dispose();
  const shaped = reshape(y, shape);
  y.dispose();
  return shaped;
}
