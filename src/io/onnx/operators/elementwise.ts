/** ONNX's activations, norms and arithmetic. */
import { show } from "../../../base/errors.js";
import { BEFORE } from "../../chain.js";
import type { PlainActivation } from "../../graph.js";
import { clamp, isHardSigmoid, type NodeReader } from "../node.js";
import { LAYOUT, type Operator } from "./operator.js";

const batchNormalization: Operator = {
  attributes: ["epsilon", "momentum", "training_mode", "spatial"],
  read(node) {
    if (node.integer("training_mode", 0) !== 0 || node.integer("spatial", 1) !== 1)
      throw node.error("is in training mode, or not spatial; expected neither");
    return [
      {
        op: "batchNorm",
        x: node.value(0),
        weight: node.weight(1),
        bias: node.weight(2),
        mean: node.weight(3),
        variance: node.weight(4),
        eps: node.float("epsilon", 1e-5),
        ...LAYOUT,
      },
    ];
  },
};

const instanceNormalization: Operator = {
  attributes: ["epsilon"],
  read: (node) => [
    {
      op: "instanceNorm",
      x: node.value(0),
      weight: node.weight(1),
      bias: node.weight(2),
      eps: node.float("epsilon", 1e-5),
      ...LAYOUT,
    },
  ],
};

const activation = (make: (node: NodeReader) => PlainActivation, attributes: readonly string[] = []): Operator => ({
  attributes,
  read: (node) => [{ op: "activation", x: node.value(0), activation: make(node), ...LAYOUT }],
});

/** Bounds are inputs; attributes before version 11. Without any it only passes on. */
const clip: Operator = {
  attributes: ["min", "max"],
  read(node) {
    const [min, max] = [node.scalar(1) ?? node.attribute("min")?.float, node.scalar(2) ?? node.attribute("max")?.float];
    const x = node.value(0);
    return min === undefined && max === undefined
      ? { same: x }
      : [{ op: "activation", x, activation: clamp(min, max), ...LAYOUT }];
  },
};

const hardSigmoid: Operator = {
  attributes: ["alpha", "beta"],
  read(node) {
    const [alpha, beta] = [node.float("alpha", 0.2), node.float("beta", 0.5)];
    const x = node.value(0);
    if (isHardSigmoid(alpha, beta)) return [{ op: "activation", x, activation: "hard-sigmoid", ...LAYOUT }];
    return [
      { op: "arithmetic", how: "mul", a: x, b: alpha, ...LAYOUT },
      { op: "arithmetic", how: "add", a: BEFORE, b: beta, activation: clamp(0, 1), ...LAYOUT },
    ];
  },
};

/** A slope a channel, or one: of shape `[C, 1, 1]`, or with an axis for the batch. It lies along x's last axes, so x has as many. */
const prelu: Operator = {
  attributes: [],
  read(node) {
    const { shape } = node.constant(1);
    const channels = shape.findIndex((extent) => extent !== 1);
    if (shape.slice(channels + 1).some((extent) => extent !== 1) && channels >= 0)
      throw node.error(`has slopes of shape ${show([...shape])}; expected one a channel, or one`);
    const slope = node.weight(1, ({ values }) => ({ shape: [values.length], values }));
    const axes = channels < 0 ? {} : { axes: shape.length - channels + 1 };
    return [{ op: "activation", x: node.value(0), activation: { name: "prelu", slope }, ...axes, ...LAYOUT }];
  },
};

const arithmetic = (how: "add" | "sub" | "mul" | "div"): Operator => ({
  attributes: [],
  read(node) {
    if (node.isConstant(0) && node.isConstant(1))
      throw node.error(`has two constants, ${show([...node.node.inputs])}; expected a value that is computed`);
    const axes = node.axesOfNumbers(0, 1);
    const operands = { a: node.operand(0), b: node.operand(1) };
    return [{ op: "arithmetic", how, ...operands, ...(axes !== undefined && { axes }), ...LAYOUT }];
  },
});

/** Before version 13 it went over all axes from `axis` on. */
const softmax: Operator = {
  attributes: ["axis"],
  read(node) {
    const isFlattened = node.opset < 13;
    return [{ op: "softmax", x: node.value(0), axis: node.integer("axis", isFlattened ? 1 : -1), isFlattened }];
  },
};

export const ELEMENTWISE: Readonly<Record<string, Operator>> = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  Relu: activation(() => "relu"),
  LeakyRelu: activation((node) => ({ name: "leaky-relu", negativeSlope: node.float("alpha", 0.01) }), ["alpha"]),
  PRelu: prelu,
  Elu: activation((node) => ({ name: "elu", alpha: node.float("alpha", 1) }), ["alpha"]),
  Clip: clip,
  Sigmoid: activation(() => "sigmoid"),
  HardSigmoid: hardSigmoid,
  HardSwish: activation(() => "hard-swish"),
  Softplus: activation(() => "softplus"),
  Tanh: activation(() => "tanh"),
  Softmax: softmax,
  Add: arithmetic("add"),
  Sub: arithmetic("sub"),
  Mul: arithmetic("mul"),
  Div: arithmetic("div"),
};
