/** Activations that files write as several operations. */
import type { ActivationNode, ArithmeticNode, Graph, GraphNode, PlainActivation } from "../../io/graph.js";
import { readersOf } from "./readers.js";

type NodeOf = (value: string) => GraphNode | undefined;

/**
 * The graph with `x * relu6(x + 3) / 6`, in each order of its operations, as "hard-swish", and `x * sigmoid(x)` as "silu", where nothing
 * else reads the values between.
 */
export function namePatterns(graph: Graph): Graph {
  const readers = readersOf(graph);
  const makers = new Map(graph.nodes.map((node) => [node.output, node]));
  /** What computes a value that one operation alone reads. */
  const own: NodeOf = (value) => (readers.get(value) === 1 ? makers.get(value) : undefined);
  const replaced = new Map<GraphNode, ActivationNode>();
  const gone = new Set<GraphNode>();
  for (const node of graph.nodes) {
    const found = hardSwish(node, own) ?? silu(node, own);
    if (!found) continue;
    const { name, kind, output } = node;
    const { x, activation, between, layout } = found;
    replaced.set(node, { op: "activation", name, kind, output, x, activation, layout });
    for (const one of between) gone.add(one);
  }
  const nodes = graph.nodes.filter((node) => !gone.has(node)).map((node) => replaced.get(node) ?? node);
  return { ...graph, nodes };
}

interface Found {
  readonly x: string;
  readonly activation: PlainActivation;
  readonly layout: ActivationNode["layout"];
  /** The operations whose values nobody reads any more. */
  readonly between: readonly GraphNode[];
}

/** The product of x and a function of x. */
interface Gated {
  readonly x: string;
  readonly gate: GraphNode;
}

/** Both ways round. */
function gatesOf(node: GraphNode | undefined, own: NodeOf): Gated[] {
  if (node?.op !== "arithmetic" || node.how !== "mul") return [];
  const { a, b } = node;
  if (typeof a !== "string" || typeof b !== "string") return [];
  return [
    [a, b],
    [b, a],
  ].flatMap(([x, gated]) => {
    const gate = own(gated);
    return gate ? [{ x, gate }] : [];
  });
}

function silu(node: GraphNode, own: NodeOf): Found | undefined {
  for (const { x, gate } of gatesOf(node, own))
    if (gate.op === "activation" && gate.activation === "sigmoid" && gate.x === x)
      return { x, activation: "silu", layout: gate.layout, between: [gate] };
  return undefined;
}

/** Divided by 6 behind the product, or within the gate, which may have a name of its own. */
function hardSwish(node: GraphNode, own: NodeOf): Found | undefined {
  const activation = "hard-swish";
  for (const { x, gate } of gatesOf(node, own)) {
    if (gate.op === "activation" && gate.activation === "hard-sigmoid" && gate.x === x)
      return { x, activation, layout: gate.layout, between: [gate] };
    const inner = dividedBySix(gate, own);
    const between = inner && shiftedRelu6(inner, x, own);
    if (between) return { x, activation, layout: between[0].layout, between: [gate, ...between] };
  }
  const product = dividedBySix(node, own);
  for (const { x, gate } of gatesOf(product, own)) {
    const between = shiftedRelu6(gate, x, own);
    if (product && between) return { x, activation, layout: between[0].layout, between: [product, ...between] };
  }
  return undefined;
}

/** Whether its constant may give its result axes that x has not. */
const hasMoreAxes = ({ axes = 0 }: ArithmeticNode): boolean => axes > 1;

/** What a node divides by 6, or multiplies by 1/6. */
function dividedBySix(node: GraphNode, own: NodeOf): GraphNode | undefined {
  if (node.op !== "arithmetic" || hasMoreAxes(node)) return undefined;
  const { how, a, b } = node;
  if (typeof a !== "string" || typeof b !== "number") return undefined;
  const isSixth = (how === "div" && b === 6) || (how === "mul" && Math.abs(b - 1 / 6) < 1e-7);
  return isSixth ? own(a) : undefined;
}

/** `relu6(x + 3)` as its two operations. */
function shiftedRelu6(node: GraphNode, x: string, own: NodeOf): [ActivationNode, ArithmeticNode] | undefined {
  if (node.op !== "activation" || node.activation !== "relu6") return undefined;
  const sum = own(node.x);
  if (sum?.op !== "arithmetic" || sum.how !== "add" || hasMoreAxes(sum)) return undefined;
  const { a, b } = sum;
  return (a === x && b === 3) || (a === 3 && b === x) ? [node, sum] : undefined;
}
