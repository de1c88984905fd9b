/** Batch norms, and constants that are multiplied and added, as part of the convolutions and linear layers before them. */
import {
  type ArithmeticNode,
  type BatchNormNode,
  type ConvolutionNode,
  type Graph,
  type GraphNode,
  type LinearNode,
  weightsOf,
} from "../../io/graph.js";
import { floatTensor, floatValues, type SafeTensor } from "../../io/safeTensor.js";
import { readersOf } from "./readers.js";

export type Product = ConvolutionNode | LinearNode;
export type Weights = Map<string, SafeTensor>;

/** `factor * x + offset` of each channel. */
interface Affine {
  readonly factor: (channel: number) => number;
  readonly offset: (channel: number) => number;
}

/**
 * The graph with fewer operations: of a convolution, or a linear layer, whose result is read by a batch norm or by arithmetic with
 * constants of each channel alone, filters and bias do both: `weight * factor` and `bias * factor + offset`, in float64. A norm has
 * `factor = weight / sqrt(variance + eps)` and `offset = bias - mean * factor` (Jacob et al., 2018). Filters that several operations share
 * stay as they are; a bias that others read, too, stays theirs, and what is folded has one of its own.
 */
export function foldNorms(graph: Graph): Graph {
  const readers = readersOf(graph);
  const uses = new Map<string, number>();
  for (const name of graph.nodes.flatMap((node) => Object.values(weightsOf(node))))
    uses.set(name, (uses.get(name) ?? 0) + 1);
  const weights = new Map(graph.weights);
  // Those that folding made are nobody else's.
  const isOwn = (name: string): boolean => (uses.get(name) ?? 1) === 1;
  const products = new Map<string, Product>();
  const nodes: GraphNode[] = [];
  for (const node of graph.nodes) {
    const x = affineInput(node);
    const before = x !== undefined && readers.get(x) === 1 ? products.get(x) : undefined;
    const affine =
      before && before.activation === undefined && isOwn(before.weight) ? affineOf(node, before, weights) : undefined;
    if (before && affine) {
      const bias = before.bias !== undefined && isOwn(before.bias) ? before.bias : newBias(before.weight, weights);
      const folded = fold(before, node, affine, bias, weights);
      nodes[nodes.indexOf(before)] = folded;
      products.set(folded.output, folded);
    } else {
      nodes.push(node);
      if (isProduct(node)) products.set(node.output, node);
    }
  }
  return { ...graph, nodes, weights };
}

export const isProduct = (node: GraphNode): node is Product => node.op === "convolution" || node.op === "linear";

/** What it is an affine function of, if it is one. */
function affineInput(node: GraphNode): string | undefined {
  if (node.op === "batchNorm") return node.x;
  if (node.op !== "arithmetic") return undefined;
  const { a, b } = node;
  if (typeof a === "string") return typeof b === "string" ? undefined : a;
  return typeof b === "string" && node.how !== "div" ? b : undefined;
}

function affineOf(node: GraphNode, product: Product, weights: Weights): Affine | undefined {
  if (node.op === "batchNorm") return hasItsChannels(node, product) ? normOf(node, weights) : undefined;
  return node.op === "arithmetic" ? arithmeticOf(node, product, weights) : undefined;
}

/** Whether the norm's channels are the product's: those of linear layers are the last axis, which is the second one of two. */
const hasItsChannels = (norm: BatchNormNode, product: Product): boolean =>
  product.op === "convolution" || norm.layout === "channels-last" || product.axes === 2;

function normOf(norm: BatchNormNode, weights: Weights): Affine {
  const [mean, variance] = [valuesOf(norm.mean, 0, weights), valuesOf(norm.variance, 1, weights)];
  const [gamma, beta] = [valuesOf(norm.weight, 1, weights), valuesOf(norm.bias, 0, weights)];
  const factor = (channel: number): number => gamma(channel) / Math.sqrt(variance(channel) + norm.eps);
  return { factor, offset: (channel) => beta(channel) - mean(channel) * factor(channel) };
}

function arithmeticOf(node: ArithmeticNode, product: Product, weights: Weights): Affine | undefined {
  const { how, a, b } = node;
  if ((node.axes ?? 0) > axesOf(product)) return undefined;
  const isFirst = typeof a === "string";
  const constant = isFirst ? b : a;
  if (typeof constant === "string") return undefined;
  const value = typeof constant === "number" ? () => constant : channelValues(constant.weight, product, weights);
  if (!value) return undefined;
  const one = (): number => 1;
  const zero = (): number => 0;
  switch (how) {
    case "add":
      return { factor: one, offset: value };
    case "sub":
      return isFirst ? { factor: one, offset: (c) => -value(c) } : { factor: () => -1, offset: value };
    case "mul":
      return { factor: value, offset: zero };
    case "div":
      return { factor: (c) => 1 / value(c), offset: zero };
  }
}

function valuesOf(name: string | undefined, missing: number, weights: Weights): (channel: number) => number {
  const tensor = name === undefined ? undefined : weights.get(name);
  const values = tensor && floatValues(tensor);
  return (channel) => values?.[channel] ?? missing;
}

/** A weight's value of a channel of the result, where it has one a channel and is the same at all positions. */
function channelValues(name: string, product: Product, weights: Weights): ((channel: number) => number) | undefined {
  const tensor = weights.get(name);
  if (!tensor) return undefined;
  const { shape } = tensor;
  // From the last axis on: positions come behind channels that come first.
  const behind = product.op === "linear" || product.options.layout === "channels-last" ? 0 : product.rank;
  const channelAxis = shape.length - 1 - behind;
  const [channels] = outChannels(product, weights.get(product.weight)?.shape ?? []);
  // Axes in front, which the result has not, would be the sum's.
  if (shape.length > axesOf(product)) return undefined;
  const fits = shape.every((extent, axis) => extent === (axis === channelAxis ? channels : 1));
  return fits && channelAxis >= 0 ? valuesOf(name, 0, weights) : undefined;
}

/** How many axes its result has, and what it takes, at least. */
export const axesOf = (product: Product): number => (product.op === "linear" ? (product.axes ?? 2) : product.rank + 2);

/** A name that no weight has. */
export function newBias(weight: string, weights: Weights): string {
  const base = `${weight.replace(/\.weight$/, "")}.bias`;
  let name = base;
  for (let i = 1; weights.has(name); i++) name = `${base}/${String(i)}`;
  return name;
}

/** The product with the affine function in it, its bias under the name `biasName`. */
function fold(
  product: Product,
  node: GraphNode,
  { factor, offset }: Affine,
  biasName: string,
  weights: Weights,
): Product {
  const filters = weights.get(product.weight);
  if (!filters) throw new Error(`there is no weight ${product.weight}`);
  const { shape } = filters;
  const values = floatValues(filters);
  const [channels, channelOf] = outChannels(product, shape);
  const bias = valuesOf(product.bias, 0, weights);
  const biases = Float32Array.from({ length: channels }, (_, c) => bias(c) * factor(c) + offset(c));
  for (let i = 0; i < values.length; i++) values[i] *= factor(channelOf(i));
  weights.set(product.weight, floatTensor(values, shape));
  weights.set(biasName, floatTensor(biases, [channels]));
  const activation = "activation" in node && node.op !== "activation" ? node.activation : undefined;
  return { ...product, bias: biasName, output: node.output, ...(activation !== undefined && { activation }) };
}

/** How many there are, and that of a weight. Those of transposed convolutions are on the second axis, within each group of inputs. */
function outChannels(product: Product, shape: readonly number[]): readonly [number, (index: number) => number] {
  const inner = shape.slice(1).reduce((size, extent) => size * extent, 1);
  if (product.op === "linear" || !product.transposed) return [shape[0], (i) => Math.floor(i / inner)];
  const { groups = 1 } = product.options;
  const taps = inner / shape[1];
  const inputs = shape[0] / groups;
  return [
    shape[1] * groups,
    (i) => Math.floor(Math.floor(i / inner) / inputs) * shape[1] + (Math.floor(i / taps) % shape[1]),
  ];
}
