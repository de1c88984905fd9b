/** Runs what moves values, and a softmax. */
import type { Tensor } from "../../../tensor/tensor.js";
import { permute } from "../../operations/permute.js";
import { pixelShuffle } from "../../operations/pixelShuffle.js";
import { reshape } from "../../operations/reshape.js";
import { pad } from "../../operations/resizing/pad.js";
import { softmax } from "../../operations/softmax/index.js";
import { spatialPads } from "../byShape.js";
import { takePart } from "../takePart.js";
import { requireAxes, type Runners } from "./runner.js";

export const RUNNERS = {
  pad(node, { value }) {
    const { paddingMode = "zeros", value: beyond = 0, layout } = node;
    const x = value(node.x);
    return pad(x, { padding: spatialPads(node, x.shape), paddingMode, value: beyond, layout });
  },
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
    return reshape(x, [x.shape[0], ...node.shape]);
  },
} satisfies Runners;

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
