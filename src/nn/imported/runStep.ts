/** Runs an operation of a graph, with what is fused into it. */
import type { Engine } from "../../api/engine.js";
import { require, show } from "../../base/errors.js";
import type {
  ActivationNode,
  ConvolutionNode,
  GraphNode,
  LinearNode,
  Operand,
  PlainActivation,
  ResizeNode,
} from "../../io/graph.js";
import { makeProblem } from "../../problem/problem.js";
import { makeTransposedProblem } from "../../problem/transposed.js";
import type { Tensor } from "../../tensor/tensor.js";
import { activate } from "../operations/activate.js";
import { add, div, mul, sub } from "../operations/arithmetic.js";
import { batchNorm } from "../operations/batchNorm.js";
import { concat } from "../operations/concat.js";
import { instanceNorm } from "../operations/groupNorm.js";
import { linear } from "../operations/linear.js";
import { permute } from "../operations/permute.js";
import { pixelShuffle } from "../operations/pixelShuffle.js";
import { avgPool1d, avgPool2d, avgPool3d } from "../operations/pooling/averagePool.js";
import { globalAveragePool, globalMaxPool } from "../operations/pooling/globalPool.js";
import { maxPool1d, maxPool2d, maxPool3d } from "../operations/pooling/maxPool.js";
import { flatten, reshape } from "../operations/reshape.js";
import { interpolate } from "../operations/resizing/interpolate.js";
import { pad } from "../operations/resizing/pad.js";
import { softmax } from "../operations/softmax/index.js";
import { convolutionOptions, spatialPads } from "./byShape.js";
import { enlargedCall } from "./enlarge.js";
import type { FusedStep } from "./fuse.js";
import { takePart } from "./takePart.js";

/** What an operation runs on. */
export interface StepContext {
  readonly engine: Engine;
  readonly value: (name: string) => Tensor;
  readonly weight: (name: string) => Tensor;
  /** Whether batch norms go by the batch's own statistics. */
  readonly training: boolean;
}

/** A new tensor. */
export function runStep(step: FusedStep, context: StepContext): Tensor {
  const { node, residual, enlarger, activation = "none" } = step;
  const { value, weight } = context;
  if (node.op === "convolution" && enlarger) return runEnlarged(node, enlarger, step, context);
  switch (node.op) {
    case "convolution":
    case "linear":
      return runProduct(node, readResidual(residual, context), activation, context);
    case "activation": {
      const { activation: own, layout, axes } = node;
      requireAxes(value(node.x), axes);
      const activated = isPrelu(own) ? ({ name: "prelu", slope: weight(own.slope) } as const) : own;
      return activate(value(node.x), activated, { layout });
    }
    case "batchNorm":
      return batchNorm(value(node.x), {
        runningMean: weight(node.mean),
        runningVar: weight(node.variance),
        ...(node.weight !== undefined && { weight: weight(node.weight) }),
        ...(node.bias !== undefined && { bias: weight(node.bias) }),
        eps: node.eps,
        layout: node.layout,
        training: context.training,
        activation,
      });
    case "arithmetic": {
      const operand = (one: Operand): Tensor | number => {
        if (typeof one === "number") return one;
        return typeof one === "string" ? value(one) : weight(one.weight);
      };
      const [a, b] = [operand(node.a), operand(node.b)];
      const { how, layout, axes } = node;
      const y = how === "add" ? add(a, b, { layout, activation }) : { sub, mul, div }[how](a, b, { layout });
      return withAxes(y, axes);
    }
    case "instanceNorm":
      return instanceNorm(value(node.x), {
        weight: weight(node.weight),
        bias: weight(node.bias),
        eps: node.eps,
        layout: node.layout,
        activation,
      });
    default:
      return runPlain(node, value);
  }
}

type PlainNode = Exclude<
  GraphNode,
  { op: "convolution" | "linear" | "activation" | "batchNorm" | "arithmetic" | "instanceNorm" }
>;

/** What has neither weights nor anything fused. */
function runPlain(node: PlainNode, value: StepContext["value"]): Tensor {
  switch (node.op) {
    case "concat":
      return node.parts.length === 1 ? same(value(node.parts[0])) : concat(node.parts.map(value), node.axis);
    case "pool": {
      const at = node.rank - 1;
      const { dilation, countIncludePad = false, options } = node;
      if (node.how === "average")
        return [avgPool1d, avgPool2d, avgPool3d][at](value(node.x), { ...options, countIncludePad });
      return [maxPool1d, maxPool2d, maxPool3d][at](value(node.x), {
        ...options,
        ...(dilation !== undefined && { dilation }),
      });
    }
    case "globalPool": {
      requireAxes(value(node.x), node.axes);
      const y = (node.how === "max" ? globalMaxPool : globalAveragePool)(value(node.x), { layout: node.layout });
      if (!node.flat) return y;
      const flat = flatten(y);
      y.dispose();
      return flat;
    }
    case "interpolate":
      return interpolate(value(node.x), withFloat32Sizes(node.options, value(node.x).shape));
    case "pad": {
      const { x, paddingMode = "zeros", value: beyond = 0, layout } = node;
      return pad(value(x), { padding: spatialPads(node, value(x).shape), paddingMode, value: beyond, layout });
    }
    case "pixelShuffle": {
      const { x, factor, channelOrder, layout } = node;
      return pixelShuffle(value(x), factor, { channelOrder, layout });
    }
    case "slice":
      return takePart(value(node.x), node);
    case "permute": {
      const x = value(node.x);
      const order = node.order ?? x.shape.map((_, i) => x.shape.length - 1 - i);
      requireAxes(x, order.length);
      return permute(x, order);
    }
    case "softmax":
      return node.isFlattened === true ? softmaxFrom(value(node.x), node.axis) : softmax(value(node.x), node.axis);
    case "reshape": {
      const x = value(node.x);
      return reshape(x, [x.shape[0], ...node.shape]);
    }
  }
}

/** Files' scales are float32, and so is the product of an extent and a scale, which may round up to the next integer (as in ONNX Runtime). */
function withFloat32Sizes(options: ResizeNode["options"], shape: readonly number[]): ResizeNode["options"] {
  const first = options.layout === "channels-last" ? 1 : 2;
  const scaleFactor = options.scaleFactor?.map((scale, axis) => {
    const extent = shape[first + axis];
    const result = Math.floor(Math.fround(extent * scale));
    // A little more, so that what it makes of the extent is not below that again.
    return result > extent * scale ? (result / extent) * (1 + 2 ** -50) : scale;
  });
  return scaleFactor ? { ...options, scaleFactor } : options;
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

function requireAxes(x: Tensor, axes: number | undefined): void {
  require(axes === undefined || x.shape.length === axes, () => {
    return `x has shape ${show([...x.shape])}; expected ${String(axes)} axes, for which the file is written`;
  });
}

/** With axes of one element in front, as ONNX broadcasts. */
function withAxes(y: Tensor, axes = 0): Tensor {
  const missing = axes - y.shape.length;
  if (missing <= 0) return y;
  const shaped = reshape(y, [...new Array<number>(missing).fill(1), ...y.shape]);
  y.dispose();
  return shaped;
}

const isPrelu = (
  activation: ActivationNode["activation"],
): activation is Exclude<ActivationNode["activation"], PlainActivation> =>
  typeof activation === "object" && activation.name === "prelu";

const same = (x: Tensor): Tensor => reshape(x, x.shape);

interface Residual {
  readonly tensor: Tensor;
  readonly layout: "channels-first" | "channels-last";
}

const readResidual = (residual: FusedStep["residual"], { value }: StepContext): Residual | undefined =>
  residual && { tensor: value(residual.value), layout: residual.layout };

/** A convolution of a map that is enlarged first: in one pass where it can be. */
function runEnlarged(node: ConvolutionNode, enlarger: ResizeNode, step: FusedStep, context: StepContext): Tensor {
  const { residual, activation = "none" } = step;
  const x = context.value(enlarger.x);
  const call = context.training ? undefined : enlargedCall(node, enlarger, x, context.weight(node.weight));
  if (!call) {
    const large = runPlain(enlarger, context.value);
    const value = (name: string): Tensor => (name === node.x ? large : context.value(name));
    try {
      return runStep({ ...step, enlarger: undefined }, { ...context, value });
    } finally {
      large.dispose();
    }
  }
  const { weight, options } = call;
  const given: ConvolutionNode = { ...node, x: enlarger.x, transposed: true, options };
  try {
    return runProduct(given, readResidual(residual, context), activation, {
      ...context,
      weight: (name) => (name === node.weight ? weight : context.weight(name)),
    });
  } finally {
    weight.dispose();
  }
}

/** The sum is part of the pass where it has the shape of the result; else it follows, and the activation with it. */
function runProduct(
  node: ConvolutionNode | LinearNode,
  residual: Residual | undefined,
  activation: PlainActivation,
  context: StepContext,
): Tensor {
  const x = context.value(node.x);
  if (!residual) return multiply(node, x, { activation }, context);
  const { tensor, layout } = residual;
  const shape = resultShape(node, x, context.weight(node.weight));
  if (shape.length === tensor.shape.length && shape.every((extent, axis) => extent === tensor.shape[axis]))
    return multiply(node, x, { residual: tensor, activation }, context);
  const z = multiply(node, x, {}, context);
  const y = add(z, tensor, { layout, activation });
  z.dispose();
  return y;
}

function resultShape(node: ConvolutionNode | LinearNode, x: Tensor, w: Tensor): readonly number[] {
  if (node.op === "linear") return [...x.shape.slice(0, -1), w.shape[0]];
  const { rank, transposed } = node;
  const options = convolutionOptions(node, x.shape, w.shape);
  return transposed
    ? makeTransposedProblem(rank, x.shape, w.shape, options).inputShape
    : makeProblem(rank, x.shape, w.shape, options).outputShape;
}

interface Fused {
  readonly residual?: Tensor;
  readonly activation?: PlainActivation;
}

function multiply(
  node: ConvolutionNode | LinearNode,
  x: Tensor,
  fused: Fused,
  { engine, weight }: StepContext,
): Tensor {
  const w = weight(node.weight);
  const more = { ...fused, ...(node.bias !== undefined && { bias: weight(node.bias) }) };
  if (node.op === "linear") return linear(x, w, more);
  const { rank, transposed } = node;
  const call = { ...convolutionOptions(node, x.shape, w.shape), ...more };
  if (transposed) {
    if (rank === 1) return engine.convTranspose1d(x, w, call);
    return rank === 2 ? engine.convTranspose2d(x, w, call) : engine.convTranspose3d(x, w, call);
  }
  if (rank === 1) return engine.conv1d(x, w, call);
  return rank === 2 ? engine.conv2d(x, w, call) : engine.conv3d(x, w, call);
}

/** A value of a run, by name. */
export function valueOf(values: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = values.get(name);
  require(tensor !== undefined, () =>
    `there is no value ${show(name)} yet; expected the layer within its network's forward`);
  return tensor;
}
