/** Numbers that what a product reads is multiplied by, and that are added to it, as part of the product behind. */
import { type ArithmeticNode, type ConvolutionNode, type Graph, type GraphNode, weightsOf } from "../../io/graph.js";
import { floatTensor, floatValues } from "../../io/safeTensor.js";
import { axesOf, isProduct, newBias, type Product, type Weights } from "./fold.js";
import { readersOf } from "./readers.js";

/** Below it `offset / factor` may leave what float16 has. */
const LEAST_FACTOR = 2 ** -6;

/**
 * The graph with `product(factor * x + offset)` of two numbers, read by the product alone, as one operation: filters are multiplied, and
 * the offset's share is in the bias. Padding is of zeros, not of offsets: where there is some, `x + offset / factor` stays before it.
 */
export function foldInputs(graph: Graph): Graph {
  const readers = readersOf(graph);
  const uses = new Map<string, number>();
  for (const name of graph.nodes.flatMap((node) => Object.values(weightsOf(node))))
    uses.set(name, (uses.get(name) ?? 0) + 1);
  const makers = new Map(graph.nodes.map((node) => [node.output, node]));
  const own = (value: string): GraphNode | undefined => (readers.get(value) === 1 ? makers.get(value) : undefined);
  const weights = new Map(graph.weights);
  const replaced = new Map<GraphNode, GraphNode>();
  const gone = new Set<GraphNode>();
  for (const node of graph.nodes) {
    if (!isProduct(node) || (node.op === "convolution" && node.transposed) || uses.get(node.weight) !== 1) continue;
    const sum = own(node.x);
    const offset = numberOf(sum, "add", node);
    const scaled = offset === undefined || sum?.op !== "arithmetic" ? undefined : own(valueIn(sum));
    const factor = numberOf(scaled, "mul", node);
    if (sum?.op !== "arithmetic" || scaled?.op !== "arithmetic" || offset === undefined || factor === undefined)
      continue;
    if (sum.activation !== undefined || scaled.activation !== undefined) continue;
    const x = valueIn(scaled);
    gone.add(scaled);
    if (isUnpadded(node, weights)) {
      gone.add(sum);
      replaced.set(node, folded({ ...node, x }, factor, offset, weights));
    } else if (Math.abs(factor) >= LEAST_FACTOR) {
      replaced.set(sum, { ...sum, a: x, b: offset / factor });
      replaced.set(node, folded(node, factor, 0, weights));
    } else gone.delete(scaled);
  }
  const nodes = graph.nodes.filter((node) => !gone.has(node)).map((node) => replaced.get(node) ?? node);
  return { ...graph, nodes, weights };
}

const valueIn = ({ a, b }: ArithmeticNode): string => (typeof a === "string" ? a : typeof b === "string" ? b : "");

/** The number that it adds, or multiplies by, if it does that with no more axes than the product takes. */
function numberOf(node: GraphNode | undefined, how: "add" | "mul", product: Product): number | undefined {
  if (node?.op !== "arithmetic" || node.how !== how) return undefined;
  if ((node.axes ?? 0) > axesOf(product) || valueIn(node) === "") return undefined;
  return [node.a, node.b].find((operand) => typeof operand === "number");
}

function isUnpadded(node: Product, weights: Weights): boolean {
  if (node.op === "linear") return true;
  const { padding = 0 }: ConvolutionNode["options"] = node.options;
  if (padding === "same" || padding === "same-lower")
    return (weights.get(node.weight)?.shape.slice(2) ?? []).every((taps) => taps === 1);
  return padding === "valid" || [padding].flat(2).every((elements) => elements === 0);
}

function folded<Node extends Product>(node: Node, factor: number, offset: number, weights: Weights): Node {
  const filters = weights.get(node.weight);
  if (!filters) throw new Error(`there is no weight ${node.weight}`);
  const { shape } = filters;
  const values = floatValues(filters);
  const [outputs] = shape;
  const inner = values.length / outputs;
  const known = node.bias === undefined ? undefined : weights.get(node.bias);
  const biases = known ? Float64Array.from(floatValues(known)) : new Float64Array(outputs);
  values.forEach((value, i) => (biases[Math.floor(i / inner)] += offset * value));
  weights.set(
    node.weight,
    floatTensor(
      Float32Array.from(values, (value) => value * factor),
      shape,
    ),
  );
  if (offset === 0) return node;
  // A name of its own: others may read the bias, too.
  const bias = newBias(node.weight, weights);
  weights.set(bias, floatTensor(Float32Array.from(biases), [outputs]));
  return { ...node, bias };
}
