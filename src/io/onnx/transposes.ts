/** Transposes one after the other, which are one, or none. */
import { type GraphNode, type PermuteNode, valuesOf } from "../graph.js";

/**
 * The nodes with each permutation of a permutation as one of what the first reads. Where that keeps all axes in their order nothing is
 * left of it: its value is the other. Permutations that nobody reads any more are gone.
 *
 * @param outputs of the graph, which keep their names
 */
export function joinTransposes(nodes: readonly GraphNode[], outputs: readonly string[]): GraphNode[] {
  const made = new Map<string, PermuteNode>();
  /** Values that are others. */
  const same = new Map<string, string>();
  const joined = nodes.flatMap((given): GraphNode[] => {
    const node = withValues(given, (value) => same.get(value) ?? value);
    if (node.op !== "permute") return [node];
    const first = made.get(node.x);
    const order = first && orderOfBoth(first.order, node.order);
    if (!first || !order) {
      made.set(node.output, node);
      return [node];
    }
    const { x } = first;
    if (order !== "same") {
      const one = { ...node, x, order };
      made.set(node.output, one);
      return [one];
    }
    if (!outputs.includes(node.output)) {
      same.set(node.output, x);
      return [];
    }
    const { name, kind, output } = node;
    return [{ op: "concat", parts: [x], axis: 0, name, kind, output }];
  });
  const read = new Set(outputs);
  const kept = [...joined].reverse().filter((node) => {
    const isRead = node.op !== "permute" || read.has(node.output);
    if (isRead) for (const value of valuesOf(node)) read.add(value);
    return isRead;
  });
  return kept.reverse();
}

/** The axes of what the first reads, in the order of the second's result; undefined where their numbers of axes differ. */
function orderOfBoth(
  first: PermuteNode["order"],
  second: PermuteNode["order"],
): readonly number[] | "same" | undefined {
  const axes = (first ?? second)?.length;
  // Both the other way round, however many axes there are.
  if (axes === undefined) return "same";
  const backwards = Array.from({ length: axes }, (_, axis) => axes - 1 - axis);
  const [one, other] = [first ?? backwards, second ?? backwards];
  if (one.length !== other.length) return undefined;
  const order = other.map((axis) => one[axis]);
  return order.every((axis, i) => axis === i) ? "same" : order;
}

function withValues(node: GraphNode, of: (value: string) => string): GraphNode {
  switch (node.op) {
    case "arithmetic": {
      const [a, b] = [node.a, node.b].map((operand) => (typeof operand === "string" ? of(operand) : operand));
      return { ...node, a, b };
    }
    case "concat":
      return { ...node, parts: node.parts.map(of) };
    default:
      return { ...node, x: of(node.x) };
  }
}
