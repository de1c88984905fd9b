/** Keras' convolutions and linear layers. */
import { show } from "../../../base/errors.js";
import type { Rank } from "../../../problem/problem.js";
import { BEFORE, type NodeParts } from "../../chain.js";
import type { ConvolutionNode } from "../../graph.js";
import { halvesOf } from "../../transposedPads.js";
import type { LayerReader } from "../layer.js";
import { activated, type ReadLayer } from "./readLayer.js";

const spatial = (rank: Rank, from: number): number[] => Array.from({ length: rank }, (_, axis) => from + axis);

/** `[...kernel, in / groups, out]` in the file. */
const convolution =
  (rank: Rank): ReadLayer =>
  (layer) => {
    const parts: Omit<ConvolutionNode, "name" | "kind" | "output"> = {
      op: "convolution",
      rank,
      transposed: false,
      x: layer.x,
      weight: layer.weight("kernel", "weight", [rank + 1, rank, ...spatial(rank, 0)]),
      ...layer.bias(),
      options: {
        stride: layer.perAxis("strides", rank, 1),
        padding: layer.padding(),
        dilation: layer.perAxis("dilation_rate", rank, 1),
        groups: layer.number("groups", 1),
        layout: layer.layout(),
      },
    };
    return activated(parts, layer.activation());
  };

/** `[...kernel, out, in]` in the file. */
const transposedConvolution =
  (rank: Rank): ReadLayer =>
  (layer) => {
    const stride = layer.perAxis("strides", rank, 1);
    const kernel = layer.perAxis("kernel_size", rank, 1);
    const dilation = layer.perAxis("dilation_rate", rank, 1);
    if (layer.config.output_padding !== undefined && layer.config.output_padding !== null)
      throw layer.place.error(`has output_padding ${show(layer.config.output_padding)}; expected none`);
    const parts: Omit<ConvolutionNode, "name" | "kind" | "output"> = {
      op: "convolution",
      rank,
      transposed: true,
      x: layer.x,
      weight: layer.weight("kernel", "weight", [rank + 1, rank, ...spatial(rank, 0)]),
      ...layer.bias(),
      options: {
        stride,
        dilation,
        layout: layer.layout(),
        ...transposedPadding(layer.padding() === "same", kernel, stride, dilation),
      },
    };
    return activated(parts, layer.activation());
  };

/**
 * What TensorFlow's transposed convolutions leave out. "same" gives `input * stride` results, as the gradient of a convolution with "same":
 * of the `span - stride` that are too many the smaller half before. "valid" gives `max(span - stride, 0)` more, none of them cut off.
 */
function transposedPadding(
  same: boolean,
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): { padding: [number, number][]; outputPadding: number[] } {
  const spans = kernel.map((taps, axis) => dilation[axis] * (taps - 1) + 1);
  const excess = spans.map((span, axis) => span - stride[axis]);
  return {
    padding: excess.map((most) => halvesOf(same ? most : 0, "behind")),
    outputPadding: excess.map((most) => Math.max(-most, 0)),
  };
}

/** `[...kernel, in, multiplier]` in the file: filters of a channel lie together. */
function depthwiseParts(
  layer: LayerReader,
  rank: Rank,
  weight: string,
  role: string,
): Omit<ConvolutionNode, "name" | "kind" | "output"> {
  const order = [rank, rank + 1, ...spatial(rank, 0)];
  const name = layer.reshapedWeight(weight, role, order, ([channels, multiplier, ...kernel]) => {
    return [channels * multiplier, 1, ...kernel];
  });
  const [filters] = layer.shapeOf(name);
  return {
    op: "convolution",
    rank,
    transposed: false,
    x: layer.x,
    weight: name,
    options: {
      stride: layer.perAxis("strides", rank, 1),
      padding: layer.padding(),
      dilation: layer.perAxis("dilation_rate", rank, 1),
      groups: filters / layer.number("depth_multiplier", 1),
      layout: layer.layout(),
    },
  };
}

const depthwise =
  (rank: Rank): ReadLayer =>
  (layer) =>
    activated({ ...depthwiseParts(layer, rank, "depthwise_kernel", "weight"), ...layer.bias() }, layer.activation());

const separable =
  (rank: Rank): ReadLayer =>
  (layer) => {
    const pointwise: NodeParts = {
      op: "convolution",
      rank,
      transposed: false,
      x: BEFORE,
      weight: layer.weight("pointwise_kernel", "pointwise.weight", [rank + 1, rank, ...spatial(rank, 0)]),
      ...layer.bias(),
      options: { layout: layer.layout() },
    };
    const first = depthwiseParts(layer, rank, "depthwise_kernel", "depthwise.weight");
    return [first, ...activated(pointwise, layer.activation())];
  };

const dense: ReadLayer = (layer) =>
  activated(
    { op: "linear", x: layer.x, weight: layer.weight("kernel", "weight", [1, 0]), ...layer.bias() },
    layer.activation(),
  );

export const PRODUCTS: Readonly<Record<string, ReadLayer>> = {
  Conv1D: convolution(1),
  Conv2D: convolution(2),
  Conv3D: convolution(3),
  Conv2DTranspose: transposedConvolution(2),
  Conv3DTranspose: transposedConvolution(3),
  DepthwiseConv2D: depthwise(2),
  SeparableConv2D: separable(2),
  Dense: dense,
};
