/** Keras' activations, norms and arithmetic. */
import { show } from "../../../base/errors.js";
import type { Layout } from "../../../problem/layout.js";
import { BEFORE, type NodeParts } from "../../chain.js";
import type { PlainActivation } from "../../graph.js";
import type { LayerReader } from "../layer.js";
import type { ReadLayer } from "./readLayer.js";

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

export const ELEMENTWISE: Readonly<Record<string, ReadLayer>> = {
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
};
