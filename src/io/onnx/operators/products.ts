/** ONNX's convolutions and matrix products. */
import { show } from "../../../base/errors.js";
import type { Rank } from "../../../problem/problem.js";
import { BEFORE, type NodeParts } from "../../chain.js";
import type { ConvolutionNode } from "../../graph.js";
import { halvesOf } from "../../transposedPads.js";
import type { NodeReader } from "../node.js";
import { LAYOUT, type Operator, padsOf, rankOf } from "./operator.js";

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
    return [
      {
        op: "convolution",
        rank,
        transposed: true,
        x: node.value(0),
        weight: node.weight(1),
        ...(node.has(2) && { bias: node.weight(2) }),
        ...transposedSize(node, rank),
      },
    ];
  },
};

type Sized = Pick<ConvolutionNode, "options" | "wanted">;

/** Extents as the file has them, of positions alone or with samples and channels before: pads are not looked at then. */
function transposedSize(node: NodeReader, rank: Rank): Sized {
  const common = { groups: node.integer("group", 1), ...LAYOUT };
  const size = node.integers("output_shape");
  const { stride, dilation, extra } = numbersOf(node, rank);
  if (!size) return { options: { ...common, ...transposedPads(node, rank) } };
  if (size.length !== rank && size.length !== rank + 2)
    throw node.error(`has output_shape ${show([...size])}; expected ${String(rank)} extents, one a position's axis`);
  const odd = node.text("auto_pad", "NOTSET") === "SAME_UPPER" ? "behind" : "before";
  return {
    options: { ...common, stride, dilation },
    wanted: { size: size.slice(-rank), stride, dilation, extra, odd },
  };
}

function numbersOf(node: NodeReader, rank: Rank): Record<"stride" | "dilation" | "extra", readonly number[]> {
  const of = (name: string, missing: number): readonly number[] =>
    node.integers(name) ?? new Array<number>(rank).fill(missing);
  return { stride: of("strides", 1), dilation: of("dilations", 1), extra: of("output_padding", 0) };
}

/** Pads as they are, or such that there are `stride` results for each value: the odd one behind (SAME_UPPER) or before (SAME_LOWER). */
function transposedPads(node: NodeReader, rank: Rank): Omit<ConvolutionNode["options"], "groups" | "layout"> {
  const { stride, dilation, extra } = numbersOf(node, rank);
  const common = { stride, dilation };
  const padding = padsOf(node, rank);
  if (padding !== "same" && padding !== "same-lower") return { ...common, padding, outputPadding: extra };
  const kernel = node.constant(1).shape.slice(2);
  const excess = kernel.map((taps, axis) => dilation[axis] * (taps - 1) + 1 + extra[axis] - stride[axis]);
  return {
    ...common,
    padding: excess.map((most) => halvesOf(most, padding === "same" ? "behind" : "before")),
    outputPadding: extra.map((rows, axis) => rows + Math.max(-excess[axis], 0)),
  };
}

/** `alpha * A * B' + beta * C`, of matrices: factors become the weights'. */
const gemm: Operator = {
  attributes: ["alpha", "beta", "transA", "transB"],
  read(node) {
    const [alpha, beta] = [node.float("alpha", 1), node.float("beta", 1)];
    const isTurned = node.integer("transA", 0) !== 0;
    const isTransposed = node.integer("transB", 0) === 0;
    if (node.constant(1).shape.length !== 2)
      throw node.error(`has a matrix of shape ${show([...node.constant(1).shape])}; expected two axes`);
    const weight = matrix(node, isTransposed, alpha);
    const outputs = node.constant(1).shape[isTransposed ? 1 : 0];
    const bias = node.has(2) && { bias: biasOf(node, outputs, beta) };
    const turned: NodeParts[] = isTurned ? [{ op: "permute", x: node.value(0), order: [1, 0] }] : [];
    return [...turned, { op: "linear", axes: 2, x: isTurned ? BEFORE : node.value(0), weight, ...bias }];
  },
};

/** One a result, or one for all. */
function biasOf(node: NodeReader, outputs: number, factor: number): string {
  return node.weight(2, ({ shape, values }) => {
    if (shape.slice(0, -1).some((extent) => extent !== 1) || (values.length !== 1 && values.length !== outputs))
      throw node.error(
        `has C of shape ${show([...shape])}; expected ${show([outputs])}, or one number: the same of each sample`,
      );
    const biases = Float32Array.from({ length: outputs }, (_, i) => factor * values[values.length === 1 ? 0 : i]);
    return { shape: [outputs], values: biases };
  });
}

/** A matrix with axes of one element in front gives as many to the result. */
const matMul: Operator = {
  attributes: [],
  read(node) {
    const product: NodeParts = { op: "linear", x: node.value(0), weight: matrix(node, true) };
    const leastAxes = node.constant(1).shape.length;
    return leastAxes === 2 ? [product] : [product, { op: "reshape", x: BEFORE, shape: [-1], leastAxes }];
  },
};

/** The second factor as `[out, in]`, which is how the file has it, or the other way round; times a number. */
function matrix(node: NodeReader, isTransposed: boolean, factor = 1): string {
  return node.weight(1, (constant) => {
    const { values } = constant;
    const shape = constant.shape.slice(-2);
    if (shape.length !== 2 || constant.shape.slice(0, -2).some((extent) => extent !== 1))
      throw node.error(
        `has matrices of shape ${show([...constant.shape])}; expected one matrix: two axes, and before them extents of 1`,
      );
    if (!isTransposed)
      return factor === 1 ? constant : { shape, values: Float32Array.from(values, (one) => factor * one) };
    const [inputs, outputs] = shape;
    const turned = Float32Array.from(
      values,
      (_, i) => factor * values[(i % inputs) * outputs + Math.floor(i / inputs)],
    );
    return { shape: [outputs, inputs], values: turned };
  });
}

export const PRODUCTS: Readonly<Record<string, Operator>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  Gemm: gemm,
  MatMul: matMul,
};
