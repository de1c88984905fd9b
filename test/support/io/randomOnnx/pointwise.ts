/** Random activations, norms, arithmetic and products. */
import type { TensorSpec } from "../onnxFile.js";
import { constant, count, type Generator, list, mapped, positions, real, UNIT, type Value } from "./value.js";

const plain =
  (op: string, most: (x: Value) => number, slope = 1, sinceOpset = 1): Generator =>
  (_, x, opset) =>
    opset < sinceOpset ? undefined : { op, results: [mapped(x, most(x), slope)] };

const sloped =
  (op: string, low: number, high: number): Generator =>
  (random, x) => {
    const alpha = real(random, low, high);
    const isGiven = random.next() < 0.7;
    const slope = isGiven ? Math.max(1, Math.abs(alpha)) : 1;
    return {
      op,
      attributes: isGiven ? { alpha: { float: alpha } } : {},
      results: [mapped(x, slope * Math.max(x.most, 1), slope)],
    };
  };

const hardSigmoid: Generator = (random, x) => {
  const attributes = random.pick([{}, { alpha: { float: 1 / 6 } }, { alpha: { float: 0.3 }, beta: { float: 0.25 } }]);
  return { op: "HardSigmoid", attributes, results: [mapped(x, 1, 0.3)] };
};

const clip: Generator = (random, x, opset) => {
  const [low, high] = [real(random, -1, 0), real(random, 0, 1)];
  const [hasLow, hasHigh] = [random.next() < 0.7, random.next() < 0.7];
  const scalar = (value: number): TensorSpec => ({ shape: [], data: [value] });
  return {
    op: "Clip",
    ...(opset < 11
      ? { attributes: { ...(hasLow && { min: { float: low } }), ...(hasHigh && { max: { float: high } }) } }
      : { constants: [hasLow ? scalar(low) : undefined, ...(hasHigh ? [scalar(high)] : [])] }),
    results: [mapped(x, Math.max(x.most, 1), 1, 0)],
  };
};

const prelu: Generator = (random, x) => {
  const rank = positions(x).length;
  const channels = [x.shape[1], ...list(rank, () => 1)];
  const shape = random.pick([channels, [1, ...channels], [1], list(rank, () => 1)]);
  return { op: "PRelu", constants: [constant(shape, () => real(random))], results: [mapped(x, x.most, 1)] };
};

const batchNorm: Generator = (random, x) => {
  const channels = x.shape[1];
  const per = (low: number, high: number): TensorSpec => constant([channels], () => real(random, low, high));
  const eps = random.pick([undefined, 1e-3, 0.1]);
  const slope = 1 / Math.sqrt(0.25);
  return {
    op: "BatchNormalization",
    ...(eps !== undefined && { attributes: { epsilon: { float: eps } } }),
    constants: [per(-1, 1), per(-1, 1), per(-1, 1), per(0.25, 2)],
    results: [mapped(x, slope * (x.most + 1) + 1, slope, 16)],
  };
};

const instanceNorm: Generator = (random, x) => {
  const per = (): TensorSpec => constant([x.shape[1]], () => real(random));
  const size = count(positions(x));
  // Of one position this library refuses to take a variance, as PyTorch does.
  if (size === 1) return undefined;
  // With an eps of 1/10 no distance grows by more than twice 1 / sqrt(1/10), the mean's own distance among it.
  const slope = 2 / Math.sqrt(0.1);
  return {
    op: "InstanceNormalization",
    attributes: { epsilon: { float: 0.1 } },
    constants: [per(), per()],
    results: [
      {
        shape: x.shape,
        most: Math.sqrt(size) + 1,
        error: slope * (x.error + (size + 16) * UNIT * Math.max(x.most, 1)),
      },
    ],
  };
};

const OPERATIONS = ["Add", "Sub", "Mul", "Div"] as const;
const arithmetic: Generator = (random, x) => {
  const op = random.pick(OPERATIONS);
  const { shape } = x;
  const rank = shape.length;
  // Aligned at the last axis, as in numpy.
  const axes = random.integer(0, rank);
  const other = axes === 0 ? [] : shape.slice(-axes).map((extent) => (random.next() < 0.5 ? extent : 1));
  const sign = (): number => (random.next() < 0.5 ? -1 : 1);
  const operand = constant(other, () => (op === "Div" ? sign() * real(random, 0.5, 2) : real(random)));
  const isBehind = op !== "Div" && random.next() < 0.4;
  const most = op === "Add" || op === "Sub" ? x.most + 1 : op === "Div" ? 2 * x.most : x.most;
  return { op, constants: [operand], isBehind, results: [mapped(x, most, op === "Div" ? 2 : 1)] };
};

/** Before version 13 over all axes from one on. */
const softmax: Generator = (random, x, opset) => {
  const rank = x.shape.length;
  const axis = random.integer(opset < 11 ? 0 : -rank, rank - 1);
  return {
    op: "Softmax",
    attributes: random.next() < 0.8 ? { axis } : {},
    results: [{ shape: x.shape, most: 1, error: 2 * x.error + (count(x.shape) + 8 + 2 * x.most) * UNIT }],
  };
};

export const POINTWISE: readonly Generator[] = [
  plain("Relu", (x) => x.most),
  plain("Sigmoid", () => 1),
  plain("Tanh", () => 1),
  plain("HardSwish", (x) => x.most, 1.5, 14),
  sloped("LeakyRelu", -0.5, 1.5),
  sloped("Elu", 0.1, 1.5),
  hardSigmoid,
  clip,
  prelu,
  batchNorm,
  instanceNorm,
  arithmetic,
  arithmetic,
  softmax,
];
