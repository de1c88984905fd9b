/** What becomes of a graph before it is run: fewer operations. */
import type { Graph } from "../../io/graph.js";
import { foldNorms } from "./fold.js";
import { foldInputs } from "./foldInputs.js";
import { namePatterns } from "./patterns.js";

/** @param folds whether norms and constants become part of the layers beside them */
export function simplify(graph: Graph, folds: boolean): Graph {
  const named = namePatterns(graph);
  return folds ? foldInputs(foldNorms(named)) : named;
}
