/**
 * A network as a file has it, in this library's words: operations, each after those whose results it reads. Readers of files write it,
 * `loadModel` makes modules of it.
 */
import type { Activation } from "../problem/activation.js";
import type { Layout } from "../problem/layout.js";
import type { Hyperparameters, Padding, PerAxis, TransposedSize } from "../problem/options.js";
import type { PaddingMode } from "../problem/padding.js";
import type { Rank } from "../problem/problem.js";
import type { SafeTensor } from "./safeTensor.js";

export interface Graph {
  /** What messages call the file. */
  readonly file: string;
  readonly inputs: readonly GraphInput[];
  /** Names of the values that it computes. */
  readonly outputs: readonly string[];
  /** In an order in which each comes after those whose values it reads. None is there in vain. */
  readonly nodes: readonly GraphNode[];
  /** By name, F32, in PyTorch's layouts: filters `[out, in / groups, ...kernel]`, those of linear layers `[out, in]`. */
  readonly weights: ReadonlyMap<string, SafeTensor>;
}

export interface GraphInput {
  readonly name: string;
  /** Extents; undefined where any will do. */
  readonly shape: readonly (number | undefined)[];
}

/** What all operations have. */
interface NodeBase {
  /** The layer's, in the file: modules and messages have it. */
  readonly name: string;
  /** Its kind, as the file calls it: "Conv2D". */
  readonly kind: string;
  /** The name of the value that it computes. */
  readonly output: string;
}

/** Applied to a result: one that takes numbers alone. */
export type PlainActivation = Exclude<Activation<never>, { readonly name: "prelu" }>;

/** A value that is computed, by name. */
type Value = string;
/** A weight, by name. */
type Weight = string;
/** What arithmetic takes: a value, a number for all elements, or a weight that is broadcast to the other operand. */
export type Operand = Value | number | { readonly weight: Weight };

/** Of `convNd`, or of `convTransposeNd`, with their options. */
export interface ConvolutionNode extends NodeBase {
  readonly op: "convolution";
  readonly rank: Rank;
  readonly transposed: boolean;
  readonly x: Value;
  readonly weight: Weight;
  readonly bias?: Weight;
  readonly options: Omit<Hyperparameters, "weightLayout"> & Pick<TransposedSize, "outputPadding">;
  /** A transposed one's extents, from which its padding follows, as many results before as behind, or one more; `extra` is at the end. */
  readonly wanted?: {
    readonly size: readonly number[];
    readonly stride: readonly number[];
    readonly dilation: readonly number[];
    readonly extra: readonly number[];
    readonly odd: "before" | "behind";
  };
  readonly activation?: PlainActivation;
}

export interface LinearNode extends NodeBase {
  readonly op: "linear";
  readonly x: Value;
  /** How many axes x has, where the file tells. */
  readonly axes?: number;
  readonly weight: Weight;
  readonly bias?: Weight;
  readonly activation?: PlainActivation;
}

export interface ActivationNode extends NodeBase {
  readonly op: "activation";
  readonly x: Value;
  /** A prelu's slopes are a weight. */
  readonly activation: PlainActivation | { readonly name: "prelu"; readonly slope: Weight };
  readonly layout: Layout;
  /** How many axes x must have, where the slopes' place depends on that. */
  readonly axes?: number;
}

/** By running statistics. */
export interface BatchNormNode extends NodeBase {
  readonly op: "batchNorm";
  readonly x: Value;
  readonly mean: Weight;
  readonly variance: Weight;
  readonly weight?: Weight;
  readonly bias?: Weight;
  readonly eps: number;
  readonly layout: Layout;
  readonly activation?: PlainActivation;
}

export interface ArithmeticNode extends NodeBase {
  readonly op: "arithmetic";
  readonly how: "add" | "sub" | "mul" | "div";
  readonly a: Operand;
  readonly b: Operand;
  /** How many axes the result has at least: a constant that is a number here may have more than the other operand. */
  readonly axes?: number;
  readonly layout: Layout;
  readonly activation?: PlainActivation;
}

export interface ConcatNode extends NodeBase {
  readonly op: "concat";
  readonly parts: readonly Value[];
  readonly axis: number;
}

export interface PoolNode extends NodeBase {
  readonly op: "pool";
  readonly how: "max" | "average";
  readonly rank: Rank;
  readonly x: Value;
  readonly options: {
    readonly kernel: PerAxis;
    readonly stride: PerAxis;
    readonly padding: Padding;
    readonly layout: Layout;
    readonly ceilMode?: boolean;
  };
  /** Of largest values. 1 when absent. */
  readonly dilation?: PerAxis;
  /** Whether means count the padding's zeros. Not when absent. */
  readonly countIncludePad?: boolean;
}

/** Over all positions. */
export interface GlobalPoolNode extends NodeBase {
  readonly op: "globalPool";
  readonly how: "max" | "average";
  readonly x: Value;
  readonly layout: Layout;
  /** Whether the result is `[N, C]`. */
  readonly flat: boolean;
}

/** Over axes; negative ones count from the end. */
export interface MeanNode extends NodeBase {
  readonly op: "mean";
  readonly x: Value;
  /** All when absent. */
  readonly axes?: readonly number[];
  readonly keepDims: boolean;
}

export interface ResizeNode extends NodeBase {
  readonly op: "interpolate";
  readonly x: Value;
  readonly options: {
    /** Either this or `size`. */
    readonly scaleFactor?: readonly number[];
    readonly size?: readonly number[];
    readonly mode: "nearest" | "linear" | "bilinear" | "trilinear";
    readonly coordinates?: "half-pixel" | "pytorch-half-pixel" | "align-corners" | "asymmetric";
    readonly rounding?: "floor" | "ceil" | "prefer-floor" | "prefer-ceil";
    readonly layout: Layout;
  };
}

/** Likewise, channels-first, by what follows from the extents of x. */
export interface ResizeAxesNode extends Omit<ResizeNode, "op"> {
  readonly op: "interpolateAxes";
  /** Those that `size` or `scaleFactor` are of; all of positions when absent. Negative ones count from the end. */
  readonly axes?: readonly number[];
  /** Of `size`: whether x keeps its ratio of extents, and none is larger than that, or none smaller. */
  readonly keepsAspect?: "not-larger" | "not-smaller";
}

/** Where it is negative it crops. */
export interface PadNode extends NodeBase {
  readonly op: "pad";
  readonly x: Value;
  readonly padding: readonly (readonly [number, number])[];
  /** Those that are padded; all of positions when absent. */
  readonly axes?: readonly number[];
  /** "zeros", or `value` in their place, when absent. */
  readonly paddingMode?: PaddingMode;
  readonly value?: number;
  readonly layout: Layout;
}

/** Channels into space. */
export interface PixelShuffleNode extends NodeBase {
  readonly op: "pixelShuffle";
  readonly x: Value;
  readonly factor: number;
  readonly channelOrder: "CRD" | "DCR";
  readonly layout: Layout;
}

/** Indices from `start` to `end`, without `end`, along an axis; negative ones count from the end, `undefined` is the end. */
export interface SliceNode extends NodeBase {
  readonly op: "slice";
  readonly x: Value;
  readonly axis: number;
  /** In the place of both: one of so many equal parts, of which the last may be smaller. */
  readonly part?: { readonly index: number; readonly of: number };
  readonly start: number;
  readonly end: number | undefined;
  /** From one to the next; negative ones go backwards from `start`. 1 when absent. */
  readonly step?: number;
}

/** The axes in another order: result axis `i` is axis `order[i]`; the other way round when absent. */
export interface PermuteNode extends NodeBase {
  readonly op: "permute";
  readonly x: Value;
  readonly order?: readonly number[];
}

export interface InstanceNormNode extends NodeBase {
  readonly op: "instanceNorm";
  readonly x: Value;
  readonly weight: Weight;
  readonly bias: Weight;
  readonly eps: number;
  readonly layout: Layout;
}

export interface SoftmaxNode extends NodeBase {
  readonly op: "softmax";
  readonly x: Value;
  readonly axis: number;
  /** Whether over that axis and all behind it together. */
  readonly isFlattened?: boolean;
}

/** Row-major, in another shape. */
export interface ReshapeNode extends NodeBase {
  readonly op: "reshape";
  readonly x: Value;
  /** Of a sample. One of them may be -1; where it is 0, as x has it at that place. */
  readonly shape: readonly number[];
  /** In the place of it: one axis of all before that one, and one of all from there on. Negative ones count from the end. */
  readonly flatFrom?: number;
  /** In the place of both: with axes of one element in front, as many axes as that, or more. */
  readonly leastAxes?: number;
}

export type GraphNode =
  | ConvolutionNode
  | LinearNode
  | ActivationNode
  | BatchNormNode
  | ArithmeticNode
  | ConcatNode
  | PoolNode
  | GlobalPoolNode
  | MeanNode
  | ResizeNode
  | ResizeAxesNode
  | PadNode
  | PixelShuffleNode
  | SliceNode
  | PermuteNode
  | InstanceNormNode
  | SoftmaxNode
  | ReshapeNode;

/** The values that an operation reads. */
export function valuesOf(node: GraphNode): readonly string[] {
  switch (node.op) {
    case "arithmetic":
      return [node.a, node.b].filter((operand) => typeof operand === "string");
    case "concat":
      return node.parts;
    default:
      return [node.x];
  }
}

/** The weights that an operation reads, by the names that PyTorch's modules have for them. */
export function weightsOf(node: GraphNode): Readonly<Record<string, string>> {
  switch (node.op) {
    case "convolution":
    case "linear":
    case "instanceNorm":
      return given({ weight: node.weight, bias: node.bias });
    case "batchNorm":
      return given({ weight: node.weight, bias: node.bias, running_mean: node.mean, running_var: node.variance });
    case "activation":
      return typeof node.activation === "object" && node.activation.name === "prelu"
        ? { weight: node.activation.slope }
        : {};
    case "arithmetic":
      return given({ weight: weightIn(node.a) ?? weightIn(node.b) });
    default:
      return {};
  }
}

const weightIn = (operand: Operand): string | undefined => (typeof operand === "object" ? operand.weight : undefined);

const given = (names: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(names).flatMap(([role, name]) => (name === undefined ? [] : [[role, name]])));
