/** ONNX's operators, as operations of a graph. Layouts are channels-first. */
import { show } from "../../base/errors.js";
import type { Padding } from "../../problem/options.js";
import type { Rank } from "../../problem/problem.js";
import type { ConvolutionNode, GraphNode, PlainActivation } from "../graph.js";
import { clamp, isHardSigmoid, type NodeReader } from "./node.js";

type Without<Node> = Node extends GraphNode ? Omit<Node, "name" | "kind" | "output"> : never;
/** An operation before it has its node's name, kind and result. One that follows another in the same node reads {@link BEFORE}. */
export type NodeParts = Without<GraphNode>;
/** What a node computes, of each of its results; a value that it only passes on. */
export type Computed = readonly NodeParts[] | { readonly same: string };

export interface Operator {
  /** The attributes that it knows; others are refused. */
  readonly attributes: readonly string[];
  readonly read: (node: NodeReader) => Computed;
  /** Likewise for nodes of several results, one after the other. */
  readonly results?: (node: NodeReader) => readonly NodeParts[];
}

/** The result of the operation before, in the same node. */
export const BEFORE = "";
const LAYOUT = { layout: "channels-first" } as const;

/** How many spatial axes a filter or a list of numbers for them has. */
function rankOf(node: NodeReader, axes: number): Rank {
  if (axes !== 1 && axes !== 2 && axes !== 3)
    throw node.error(`has ${String(axes)} spatial axes; expected one to three`);
  return axes;
}

/** ONNX's pads: all beginnings, then all ends. */
function padsOf(node: NodeReader, rank: number): Padding {
  const pads = node.integers("pads") ?? new Array<number>(2 * rank).fill(0);
  const auto = node.text("auto_pad", "NOTSET");
  if (auto === "SAME_UPPER") return "same";
  if (auto === "SAME_LOWER") return "same-lower";
  if (auto === "VALID") return "valid";
  if (auto !== "NOTSET")
    throw node.error(`has auto_pad ${show(auto)}; expected NOTSET, SAME_UPPER, SAME_LOWER or VALID`);
  return pairsOf(node, pads, rank);
}

function pairsOf(node: NodeReader, pads: readonly number[], rank: number): [number, number][] {
  if (pads.length !== 2 * rank)
    throw node.error(`has pads ${show([...pads])}; expected ${String(2 * rank)} numbers, two an axis`);
  return Array.from({ length: rank }, (_, axis) => [pads[axis], pads[rank + axis]]);
}

const CONV = ["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"];

const conv: Operator = {
  attributes: CONV,
  read(node) {
    const rank = rankOf(node, node.constant(1).shape.length - 2);
    return [
      {
        op: "convolution",
        rank,
        transposed: false,
        x: node.value(0),
        weight: node.weight(1),
        ...(node.has(2) && { bias: node.weight(2) }),
        options: {
          stride: node.integers("strides") ?? 1,
          padding: padsOf(node, rank),
          dilation: node.integers("dilations") ?? 1,
          groups: node.integer("group", 1),
          ...LAYOUT,
        },
      },
    ];
  },
};

const convTranspose: Operator = {
  attributes: [...CONV, "output_padding", "output_shape"],
  read(node) {
    const rank = rankOf(node, node.constant(1).shape.length - 2);
    if (node.integers("output_shape")) throw node.error("has an output_shape; expected pads and output_padding");
    return [
      {
        op: "convolution",
        rank,
        transposed: true,
        x: node.value(0),
        weight: node.weight(1),
        ...(node.has(2) && { bias: node.weight(2) }),
        options: {
          groups: node.integer("group", 1),
          ...transposedPads(node, rank),
          ...LAYOUT,
        },
      },
    ];
  },
};

/** Pads as they are, or such that there are `stride` results for each value: the odd one behind (SAME_UPPER) or before (SAME_LOWER). */
function transposedPads(node: NodeReader, rank: Rank): Omit<ConvolutionNode["options"], "groups" | "layout"> {
  const of = (name: string, missing: number): readonly number[] =>
    node.integers(name) ?? new Array<number>(rank).fill(missing);
  const [stride, dilation, extra] = [of("strides", 1), of("dilations", 1), of("output_padding", 0)];
  const common = { stride, dilation };
  const padding = padsOf(node, rank);
  if (padding !== "same" && padding !== "same-lower") return { ...common, padding, outputPadding: extra };
  const kernel = node.constant(1).shape.slice(2);
  const excess = kernel.map((taps, axis) => dilation[axis] * (taps - 1) + 1 + extra[axis] - stride[axis]);
  return {
    ...common,
    padding: excess.map((most): [number, number] => {
      const [less, more] = [Math.floor(Math.max(most, 0) / 2), Math.ceil(Math.max(most, 0) / 2)];
      return padding === "same" ? [less, more] : [more, less];
    }),
    outputPadding: extra.map((rows, axis) => rows + Math.max(-excess[axis], 0)),
  };
}

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

/** Bounds are inputs; attributes before version 11. */
const clip: Operator = activation(
  (node) => {
    const [min, max] = [node.scalar(1) ?? node.attribute("min")?.float, node.scalar(2) ?? node.attribute("max")?.float];
    return clamp(min, max);
  },
  ["min", "max"],
);

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

/** A slope a channel, or one: of shape `[C, 1, 1]`, or with an axis for the batch. */
const prelu: Operator = {
  attributes: [],
  read(node) {
    const slope = node.weight(1, ({ shape, values }) => {
      const rest = shape.filter((extent) => extent !== 1);
      if (rest.length > 1) throw node.error(`has slopes of shape ${show([...shape])}; expected one a channel, or one`);
      return { shape: [values.length], values };
    });
    return [{ op: "activation", x: node.value(0), activation: { name: "prelu", slope }, ...LAYOUT }];
  },
};

const arithmetic = (how: "add" | "sub" | "mul" | "div"): Operator => ({
  attributes: [],
  read: (node) => [{ op: "arithmetic", how, a: node.operand(0), b: node.operand(1), ...LAYOUT }],
});

const concat: Operator = {
  attributes: ["axis"],
  read: (node) => [
    {
      op: "concat",
      parts: node.node.inputs.map((_, i) => node.value(i)),
      axis: node.integer("axis", 1),
    },
  ],
};

const POOL = ["auto_pad", "ceil_mode", "kernel_shape", "pads", "strides", "dilations"];

const pool = (how: "max" | "average"): Operator => ({
  attributes: [...POOL, ...(how === "max" ? ["storage_order"] : ["count_include_pad"])],
  read(node) {
    const kernel = node.integers("kernel_shape");
    if (!kernel) throw node.error("has no kernel_shape; expected the window's extents");
    const rank = rankOf(node, kernel.length);
    const dilation = node.integers("dilations") ?? 1;
    if (how === "average" && dilation !== 1 && dilation.some((distance) => distance !== 1))
      throw node.error(`has dilations ${show([...dilation])}; expected 1`);
    return [
      {
        op: "pool",
        how,
        rank,
        x: node.value(0),
        options: {
          kernel,
          stride: node.integers("strides") ?? 1,
          padding: padsOf(node, rank),
          ceilMode: node.integer("ceil_mode", 0) !== 0,
          ...LAYOUT,
        },
        ...(how === "max" ? { dilation } : { countIncludePad: node.integer("count_include_pad", 0) !== 0 }),
      },
    ];
  },
});

const globalPool = (how: "max" | "average"): Operator => ({
  attributes: [],
  read: (node) => [{ op: "globalPool", how, x: node.value(0), flat: false, ...LAYOUT }],
});

/** Over all positions of `[N, C, H, W]`: axes are an input from version 18 on. */
const reduceMean: Operator = {
  attributes: ["axes", "keepdims", "noop_with_empty_axes"],
  read(node) {
    const axes = node.numbers(1) ?? node.integers("axes") ?? [];
    const sorted = axes.map((axis) => (axis < 0 ? axis + 4 : axis)).sort((a, b) => a - b);
    if (show(sorted) !== "[2, 3]")
      throw node.error(`has axes ${show([...axes])}; expected [2, 3], the rows and columns of [N, C, H, W]`);
    return [{ op: "globalPool", how: "average", x: node.value(0), flat: node.integer("keepdims", 1) === 0, ...LAYOUT }];
  },
};

const COORDINATES = {
  half_pixel: "half-pixel",
  pytorch_half_pixel: "pytorch-half-pixel",
  align_corners: "align-corners",
  asymmetric: "asymmetric",
} as const;
const ROUNDINGS = {
  round_prefer_floor: "prefer-floor",
  round_prefer_ceil: "prefer-ceil",
  floor: "floor",
  ceil: "ceil",
} as const;
const LINEAR = ["linear", "bilinear", "trilinear"] as const;

const resize: Operator = {
  attributes: [
    "coordinate_transformation_mode",
    "mode",
    "nearest_mode",
    "cubic_coeff_a",
    "exclude_outside",
    "extrapolation_value",
    "antialias",
    "keep_aspect_ratio_policy",
  ],
  read(node) {
    if (node.integer("antialias", 0) !== 0) throw node.error("has antialias 1; expected 0");
    if (node.attribute("axes")) throw node.error("has axes; expected scales or sizes of all of them");
    const [scales, sizes] = [node.numbers(2), node.numbers(3)];
    const given = sizes?.length ? sizes : scales;
    if (!given?.length) throw node.error("has neither scales nor sizes; expected one of them, constant");
    const rank = rankOf(node, given.length - 2);
    if (!sizes?.length && (given[0] !== 1 || given[1] !== 1))
      throw node.error(`has scales ${show([...given])}; expected 1 of samples and channels`);
    const isLinear = node.oneOf("mode", "nearest", { nearest: false, linear: true });
    const spatial = given.slice(2);
    const common = {
      ...(sizes?.length ? { size: spatial } : { scaleFactor: spatial }),
      coordinates: node.oneOf("coordinate_transformation_mode", "half_pixel", COORDINATES),
      ...LAYOUT,
    };
    const rounding = node.oneOf("nearest_mode", "round_prefer_floor", ROUNDINGS);
    return [
      {
        op: "interpolate",
        x: node.value(0),
        options: isLinear ? { ...common, mode: LINEAR[rank - 1] } : { ...common, mode: "nearest", rounding },
      },
    ];
  },
};

const depthToSpace: Operator = {
  attributes: ["blocksize", "mode"],
  read: (node) => [
    {
      op: "pixelShuffle",
      x: node.value(0),
      factor: node.integer("blocksize", 0),
      channelOrder: node.oneOf("mode", "DCR", { DCR: "DCR", CRD: "CRD" }),
      ...LAYOUT,
    },
  ],
};

/** Extents and the value beyond are inputs from version 11 on. */
const pad: Operator = {
  attributes: ["mode", "pads", "value"],
  read(node) {
    const pads = node.numbers(1) ?? node.integers("pads") ?? [];
    if (node.has(3)) throw node.error("has axes; expected pads of all of them");
    const rank = rankOf(node, pads.length / 2 - 2);
    const pairs = pairsOf(node, pads, rank + 2);
    if (pairs.slice(0, 2).some(([begin, end]) => begin !== 0 || end !== 0))
      throw node.error(`has pads ${show([...pads])}; expected none of samples and channels`);
    return [
      {
        op: "pad",
        x: node.value(0),
        padding: pairs.slice(2),
        paddingMode: node.oneOf("mode", "constant", {
          constant: "zeros",
          reflect: "reflect",
          edge: "replicate",
          wrap: "circular",
        } as const),
        value: node.scalar(2) ?? node.float("value", 0),
        ...LAYOUT,
      },
    ];
  },
};

/** `alpha * A' * B' + beta * C`. */
const gemm: Operator = {
  attributes: ["alpha", "beta", "transA", "transB"],
  read(node) {
    const [alpha, beta] = [node.float("alpha", 1), node.float("beta", 1)];
    if (node.integer("transA", 0) !== 0 || alpha !== 1 || beta !== 1)
      throw node.error(
        `has transA ${String(node.integer("transA", 0))}, alpha ${String(alpha)} and beta ${String(beta)}; expected 0, 1 and 1`,
      );
    return [
      {
        op: "linear",
        x: node.value(0),
        weight: matrix(node, node.integer("transB", 0) === 0),
        ...(node.has(2) && { bias: node.weight(2, ({ values }) => ({ shape: [values.length], values })) }),
      },
    ];
  },
};

const matMul: Operator = {
  attributes: [],
  read: (node) => [{ op: "linear", x: node.value(0), weight: matrix(node, true) }],
};

/** The second factor as `[out, in]`, which is how the file has it, or the other way round. */
function matrix(node: NodeReader, isTransposed: boolean): string {
  return node.weight(1, (constant) => {
    const { shape, values } = constant;
    if (shape.length !== 2) throw node.error(`has a matrix of shape ${show([...shape])}; expected two axes`);
    if (!isTransposed) return constant;
    const [inputs, outputs] = shape;
    const turned = Float32Array.from(values, (_, i) => values[(i % inputs) * outputs + Math.floor(i / inputs)]);
    return { shape: [outputs, inputs], values: turned };
  });
}

const reshape: Operator = {
  attributes: ["allowzero"],
  read(node) {
    const [batch, ...rest] = node.numbers(1) ?? [];
    if (
      rest.length === 0 ||
      (batch !== 0 && batch !== -1 && batch !== 1) ||
      rest.some((extent) => extent < -1 || extent === 0)
    )
      throw node.error(
        `has shape ${show(node.numbers(1) ?? [])}; expected the batch as 0 or 1, and extents of which one may be -1`,
      );
    return [{ op: "reshape", x: node.value(0), shape: rest }];
  },
};

const flatten: Operator = {
  attributes: ["axis"],
  read(node) {
    const axis = node.integer("axis", 1);
    if (axis !== 1) throw node.error(`has axis ${String(axis)}; expected 1`);
    return [{ op: "reshape", x: node.value(0), shape: [-1] }];
  },
};

/** Before version 13 it went over all axes from `axis` on, which is the same where that is the last. */
const softmax: Operator = {
  attributes: ["axis"],
  read: (node) => [{ op: "softmax", x: node.value(0), axis: node.integer("axis", node.opset < 13 ? 1 : -1) }],
};

/** Along one axis or several, one after the other. Beyond 2^31 is the end. */
const sliceOperator: Operator = {
  attributes: [],
  read(node) {
    const [starts, ends] = [node.numbers(1) ?? [], node.numbers(2) ?? []];
    const axes = node.numbers(3) ?? starts.map((_, axis) => axis);
    const steps = node.numbers(4) ?? starts.map(() => 1);
    if (steps.some((step) => step !== 1)) throw node.error(`has steps ${show([...steps])}; expected 1`);
    return axes.map((axis, i) => ({
      op: "slice" as const,
      x: i === 0 ? node.value(0) : BEFORE,
      axis,
      start: starts[i],
      end: ends[i] > 2 ** 31 - 2 ? undefined : ends[i],
    }));
  },
};

/** Of extents that the file has. */
const split: Operator = {
  attributes: ["axis", "split"],
  read: () => [],
  results(node) {
    const extents = node.numbers(1) ?? node.integers("split");
    if (!extents) throw node.error("has no extents of its parts; expected them as a constant");
    const axis = node.integer("axis", 0);
    let start = 0;
    return extents.map((extent) => {
      const part = { op: "slice" as const, x: node.value(0), axis, start, end: start + extent };
      start += extent;
      return part;
    });
  },
};

const same = (attributes: readonly string[] = []): Operator => ({
  attributes,
  read: (node) => ({ same: node.node.inputs[0] ?? "" }),
});

/** Floating-point types are the engine's own. */
const FLOATS = [1, 10, 11, 16];
const cast: Operator = {
  attributes: ["to", "saturate", "round_mode"],
  read(node) {
    const to = node.integer("to", 0);
    if (!FLOATS.includes(to))
      throw node.error(`casts to type ${String(to)}; expected a floating-point one: ${FLOATS.join(", ")}`);
    return { same: node.value(0) };
  },
};

const transpose: Operator = {
  attributes: ["perm"],
  read(node) {
    const order = node.integers("perm");
    if (!order?.every((axis, i) => axis === i))
      throw node.error(`has perm ${show(order ? [...order] : order)}; expected one that moves no axis`);
    return { same: node.value(0) };
  },
};

/** By ONNX's names, without Constant, which is read before. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
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
  Add: arithmetic("add"),
  Sub: arithmetic("sub"),
  Mul: arithmetic("mul"),
  Div: arithmetic("div"),
  Concat: concat,
  Slice: sliceOperator,
  Split: split,
  MaxPool: pool("max"),
  AveragePool: pool("average"),
  GlobalAveragePool: globalPool("average"),
  GlobalMaxPool: globalPool("max"),
  ReduceMean: reduceMean,
  Resize: resize,
  DepthToSpace: depthToSpace,
  Pad: pad,
  Gemm: gemm,
  MatMul: matMul,
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Softmax: softmax,
  Identity: same(),
  Dropout: same(["ratio", "seed"]),
  Cast: cast,
};
