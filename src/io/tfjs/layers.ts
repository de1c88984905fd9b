/** Keras' layers, as operations of a graph. */
import { show } from "../../base/errors.js";
import type { Layout } from "../../problem/layout.js";
import type { Rank } from "../../problem/problem.js";
import type { ConvolutionNode, GraphNode, PlainActivation } from "../graph.js";
import type { LayerReader } from "./layer.js";

/** A node before it has its layer's name, kind and result. */
type Without<Node> = Node extends GraphNode ? Omit<Node, "name" | "kind" | "output"> : never;
/** Operations one after the other, from a layer's inputs to its result: each but the first reads the one before, whatever its x. */
export type NodeParts = Without<GraphNode>;
/** Undefined for a layer that does nothing but in training. */
type ReadLayer = (layer: LayerReader) => readonly NodeParts[] | undefined;

/** The result of the operation before. */
const BEFORE = "";

/** An operation that has an activation, or is followed by a softmax. */
function activated(parts: NodeParts, activation: PlainActivation | "softmax" | undefined): NodeParts[] {
  if (activation === undefined) return [parts];
  if (activation === "softmax") return [parts, { op: "softmax", x: BEFORE, axis: -1 }];
  return [{ ...parts, activation } as NodeParts];
}

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
    padding: excess.map((most) => {
      const cut = same ? Math.max(most, 0) : 0;
      return [Math.floor(cut / 2), Math.ceil(cut / 2)];
    }),
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

/** Where channels lie of a layer that does not say so: Keras' usual way. */
const USUAL: Layout = "channels-last";

const activationLayer = (layer: LayerReader, activation: PlainActivation): NodeParts[] => [
  { op: "activation", x: layer.x, activation, layout: USUAL },
];

const activation: ReadLayer = (layer) => {
  const name = layer.activation();
  if (name === undefined) return undefined;
  return name === "softmax" ? [{ op: "softmax", x: layer.x, axis: -1 }] : activationLayer(layer, name);
};

const relu: ReadLayer = (layer) => {
  const { max_value: most = null } = layer.config;
  const [slope, threshold] = [layer.number("negative_slope", 0), layer.number("threshold", 0)];
  if (threshold !== 0 || (slope !== 0 && most !== null) || (most !== null && typeof most !== "number"))
    throw layer.place.error(
      `has max_value ${show(most)}, negative_slope ${String(slope)} and threshold ${String(threshold)}; expected one of the first two, and no threshold`,
    );
  if (slope !== 0) return activationLayer(layer, { name: "leaky-relu", negativeSlope: slope });
  return activationLayer(layer, most === null ? "relu" : { name: "clamp", min: 0, max: most });
};

const leakyRelu: ReadLayer = (layer) =>
  activationLayer(layer, { name: "leaky-relu", negativeSlope: layer.number("alpha", 0.3) });

/** A slope for each channel, or one for all: of channels that come last. */
const prelu: ReadLayer = (layer) => {
  const { shape } = layer.stored("alpha");
  const channels = shape[shape.length - 1];
  if (shape.some((extent, axis) => axis < shape.length - 1 && extent !== 1))
    throw layer.place.error(
      `has slopes of shape ${show(shape)}; expected those of channels alone, shared along all other axes`,
    );
  const order = shape.map((_, axis) => axis);
  const slope = layer.reshapedWeight("alpha", "weight", order, () => [channels]);
  return [{ op: "activation", x: layer.x, activation: { name: "prelu", slope }, layout: USUAL }];
};

const batchNorm: ReadLayer = (layer) => [
  {
    op: "batchNorm",
    x: layer.x,
    mean: layer.weight("moving_mean", "running_mean", [0]),
    variance: layer.weight("moving_variance", "running_var", [0]),
    ...(layer.flag("scale", true) && { weight: layer.weight("gamma", "weight", [0]) }),
    ...(layer.flag("center", true) && { bias: layer.weight("beta", "bias", [0]) }),
    eps: layer.number("epsilon", 1e-3),
    layout: layoutOfAxis(layer),
  },
];

/** Along which axis channels lie: 1, or the last one, which may be counted from the end. */
function layoutOfAxis({ config, place }: LayerReader): Layout {
  const [axis] = Array.isArray(config.axis) ? (config.axis as unknown[]) : [config.axis ?? -1];
  if (typeof axis !== "number" || !Number.isInteger(axis) || axis === 0)
    throw place.error(`has axis ${show(config.axis)}; expected 1, or that of channels that come last`);
  return axis === 1 ? "channels-first" : "channels-last";
}

/** Results of several inputs, each with the one after it. */
const arithmetic =
  (how: "add" | "sub" | "mul"): ReadLayer =>
  (layer) => {
    const [first, ...others] = layer.inputs;
    if (others.length === 0) throw layer.place.error(`has ${String(layer.inputs.length)} inputs; expected two or more`);
    return others.map((b, i) => ({ op: "arithmetic", how, a: i === 0 ? first : BEFORE, b, layout: USUAL }));
  };

const concatenate: ReadLayer = ({ inputs, config, place }) => {
  const axis = config.axis ?? -1;
  if (typeof axis !== "number" || !Number.isInteger(axis) || axis === 0)
    throw place.error(`has axis ${show(axis)}; expected one of the result but the first, which is the batch`);
  return [{ op: "concat", parts: inputs, axis }];
};

const pool =
  (how: "max" | "average", rank: Rank): ReadLayer =>
  (layer) => {
    const kernel = layer.perAxis("pool_size", rank, 2);
    const stride = layer.config.strides === null ? kernel : layer.perAxis("strides", rank, 2);
    return [
      {
        op: "pool",
        how,
        rank,
        x: layer.x,
        options: { kernel, stride, padding: layer.padding(), layout: layer.layout() },
      },
    ];
  };

const globalPool =
  (how: "max" | "average"): ReadLayer =>
  (layer) => [{ op: "globalPool", how, x: layer.x, layout: layer.layout(), flat: !layer.flag("keepdims", false) }];

const upSampling =
  (rank: 1 | 2): ReadLayer =>
  (layer) => {
    const scaleFactor = layer.perAxis("size", rank, 2);
    const mode = layer.config.interpolation ?? "nearest";
    if (mode !== "nearest" && !(mode === "bilinear" && rank === 2))
      throw layer.place.error(`has interpolation ${show(mode)}; expected nearest${rank === 2 ? " or bilinear" : ""}`);
    return [{ op: "interpolate", x: layer.x, options: { scaleFactor, mode, layout: layer.layout() } }];
  };

/** `sign` is -1 where as much is cut off. */
const padLayer =
  (rank: Rank, name: "padding" | "cropping", sign: 1 | -1): ReadLayer =>
  (layer) => {
    const given = layer.config[name];
    const axes = typeof given === "number" ? new Array<unknown>(rank).fill(given) : given;
    const isSide = (side: unknown): boolean => Number.isSafeInteger(side) && (side as number) >= 0;
    const pairs = Array.isArray(axes)
      ? (rank === 1 && axes.length === 2 ? [axes as unknown] : (axes as unknown[])).map((axis) => {
          return Array.isArray(axis) ? (axis as unknown[]) : [axis, axis];
        })
      : [];
    if (pairs.length !== rank || !pairs.every((pair) => pair.length === 2 && pair.every(isSide)))
      throw layer.place.error(
        `has ${name} ${show(given)}; expected whole numbers from 0 on, or pairs of them, one an axis`,
      );
    const padding = (pairs as number[][]).map(([begin, end]): [number, number] => [sign * begin, sign * end]);
    return [{ op: "pad", x: layer.x, padding, layout: layer.layout() }];
  };

/** Of channels that come first Keras puts them last before it. */
const flatten: ReadLayer = (layer) => {
  if (layer.layout() === "channels-first")
    throw layer.place.error("has data_format channels_first; expected channels_last");
  return [{ op: "reshape", x: layer.x, shape: [-1] }];
};

/** Does nothing outside training. */
const nothing: ReadLayer = () => undefined;

/** By Keras' class names. */
export const LAYERS: Readonly<Record<string, ReadLayer>> = {
  Conv1D: convolution(1),
  Conv2D: convolution(2),
  Conv3D: convolution(3),
  Conv2DTranspose: transposedConvolution(2),
  Conv3DTranspose: transposedConvolution(3),
  DepthwiseConv2D: depthwise(2),
  SeparableConv2D: separable(2),
  Dense: dense,
  Activation: activation,
  ReLU: relu,
  LeakyReLU: leakyRelu,
  ELU: (layer) => activationLayer(layer, { name: "elu", alpha: layer.number("alpha", 1) }),
  PReLU: prelu,
  Softmax: (layer) => [{ op: "softmax", x: layer.x, axis: layer.number("axis", -1) }],
  BatchNormalization: batchNorm,
  Add: arithmetic("add"),
  Subtract: arithmetic("sub"),
  Multiply: arithmetic("mul"),
  Concatenate: concatenate,
  MaxPooling1D: pool("max", 1),
  MaxPooling2D: pool("max", 2),
  MaxPooling3D: pool("max", 3),
  AveragePooling1D: pool("average", 1),
  AveragePooling2D: pool("average", 2),
  AveragePooling3D: pool("average", 3),
  GlobalAveragePooling1D: globalPool("average"),
  GlobalAveragePooling2D: globalPool("average"),
  GlobalMaxPooling1D: globalPool("max"),
  GlobalMaxPooling2D: globalPool("max"),
  UpSampling1D: upSampling(1),
  UpSampling2D: upSampling(2),
  ZeroPadding1D: padLayer(1, "padding", 1),
  ZeroPadding2D: padLayer(2, "padding", 1),
  Cropping1D: padLayer(1, "cropping", -1),
  Cropping2D: padLayer(2, "cropping", -1),
  Flatten: flatten,
  Reshape: (layer) => [{ op: "reshape", x: layer.x, shape: targetShape(layer) }],
  Dropout: nothing,
  SpatialDropout1D: nothing,
  SpatialDropout2D: nothing,
  GaussianNoise: nothing,
  GaussianDropout: nothing,
  ActivityRegularization: nothing,
};

function targetShape({ config, place }: LayerReader): readonly number[] {
  const shape = config.target_shape;
  const isExtent = (extent: unknown): boolean =>
    extent === -1 || (Number.isSafeInteger(extent) && (extent as number) >= 1);
  if (!Array.isArray(shape) || !shape.every(isExtent) || shape.filter((extent) => extent === -1).length > 1)
    throw place.error(`has target_shape ${show(shape)}; expected extents, of which one may be -1`);
  return shape as number[];
}
