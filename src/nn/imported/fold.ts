/** Batch norms by running statistics, folded into the convolutions and linear layers before them. */
import type { BatchNormNode, ConvolutionNode, Graph, GraphNode, LinearNode } from "../../io/graph.js";
import { floatTensor, floatValues, type SafeTensor } from "../../io/safeTensor.js";
import { readersOf } from "./readers.js";

type Product = ConvolutionNode | LinearNode;

/**
 * The graph with fewer operations: of a convolution, or a linear layer, whose result a batch norm alone reads, filters and bias do both:
 * `weight * factor` and `(bias - mean) * factor + norm.bias` for `factor = norm.weight / sqrt(variance + eps)` (Jacob et al., 2018), in
 * float64. Weights that several operations share stay as they are.
 */
export function foldNorms(graph: Graph): Graph {
  const readers = readersOf(graph);
  const uses = new Map<string, number>();
  for (const node of graph.nodes) if (isProduct(node)) uses.set(node.weight, (uses.get(node.weight) ?? 0) + 1);
  const weights = new Map(graph.weights);
  const products = new Map<string, Product>();
  const nodes: GraphNode[] = [];
  for (const node of graph.nodes) {
    const before = node.op === "batchNorm" && readers.get(node.x) === 1 ? products.get(node.x) : undefined;
    if (node.op === "batchNorm" && before && before.activation === undefined && uses.get(before.weight) === 1) {
      const folded = fold(before, node, weights);
      nodes[nodes.indexOf(before)] = folded;
      products.set(folded.output, folded);
    } else {
      nodes.push(node);
      if (isProduct(node)) products.set(node.output, node);
    }
  }
  return { ...graph, nodes, weights };
}

const isProduct = (node: GraphNode): node is Product => node.op === "convolution" || node.op === "linear";

function fold(product: Product, norm: BatchNormNode, weights: Map<string, SafeTensor>): Product {
  const valuesOf = (name: string | undefined, missing: number): ((channel: number) => number) => {
    const tensor = name === undefined ? undefined : weights.get(name);
    const values = tensor && floatValues(tensor);
    return (channel) => values?.[channel] ?? missing;
  };
  const [mean, variance] = [valuesOf(norm.mean, 0), valuesOf(norm.variance, 1)];
  const [gamma, beta] = [valuesOf(norm.weight, 1), valuesOf(norm.bias, 0)];
  const bias = valuesOf(product.bias, 0);
  const factor = (channel: number): number => gamma(channel) / Math.sqrt(variance(channel) + norm.eps);
  const filters = weights.get(product.weight);
  if (!filters) throw new Error(`there is no weight ${product.weight}`);
  const { shape } = filters;
  const values = floatValues(filters);
  const [channels, channelOf] = outChannels(product, shape);
  for (let i = 0; i < values.length; i++) values[i] *= factor(channelOf(i));
  const biases = Float32Array.from({ length: channels }, (_, channel) => {
    return (bias(channel) - mean(channel)) * factor(channel) + beta(channel);
  });
  const biasName = product.bias ?? product.weight.replace(/weight$/, "bias");
  weights.set(product.weight, floatTensor(values, shape));
  weights.set(biasName, floatTensor(biases, [channels]));
  const { activation, output } = norm;
  return { ...product, bias: biasName, output, ...(activation !== undefined && { activation }) };
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
