/** Who reads the values of a graph. */
import { type Graph, valuesOf } from "../../io/graph.js";

/** How often each value is read, outputs included. */
export function readersOf({ nodes, outputs }: Pick<Graph, "nodes" | "outputs">): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const value of [...nodes.flatMap(valuesOf), ...outputs]) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
