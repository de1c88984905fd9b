/** Operations of a file's layer or node, one after the other, before they are a graph's. */
import type { GraphNode } from "./graph.js";

type Without<Node> = Node extends GraphNode ? Omit<Node, "name" | "kind" | "output"> : never;
/** An operation before it has its layer's name, kind and result. */
export type NodeParts = Without<GraphNode>;

/** The result of the operation before, in the same layer. */
export const BEFORE = "";

/** The operations, of which the last one computes `output`; those before it have names that are made of that. */
export function chained(
  parts: readonly NodeParts[],
  { name, kind }: Pick<GraphNode, "name" | "kind">,
  output: string,
): GraphNode[] {
  const resultOf = (i: number): string => (i === parts.length - 1 ? output : `${output}/${String(i)}`);
  return parts.map((part, i) => {
    const node = { ...part, name, kind, output: resultOf(i) } as GraphNode;
    return i === 0 ? node : withInput(node, resultOf(i - 1));
  });
}

/** The operation with that value in the place of {@link BEFORE}. */
function withInput(node: GraphNode, before: string): GraphNode {
  if (node.op === "arithmetic") return node.a === BEFORE ? { ...node, a: before } : node;
  return node.op === "concat" || node.x !== BEFORE ? node : { ...node, x: before };
}
