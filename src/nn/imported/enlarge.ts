/** Which convolutions read maps that are enlarged by repeating values (runners/enlarged.ts). */
import type { GraphNode, ResizeNode } from "../../io/graph.js";

/** Whether each result of a resizing is the value at `floor(position / factor)`. */
export function repeatsValues({ options }: ResizeNode): boolean {
  const { scaleFactor, mode, coordinates = "asymmetric", rounding = "floor" } = options;
  if (mode !== "nearest" || !scaleFactor?.every((factor) => Number.isInteger(factor) && factor >= 1)) return false;
  // Centres of results lie less than half a position from that of the value.
  if (coordinates === "half-pixel" || coordinates === "pytorch-half-pixel") return rounding.startsWith("prefer");
  return coordinates === "asymmetric" && rounding === "floor";
}

/** The resizing whose result a convolution reads, where the two can be one. */
export const enlargerOf = (node: GraphNode, before: GraphNode | undefined): ResizeNode | undefined =>
  node.op === "convolution" && !node.transposed && before?.op === "interpolate" && repeatsValues(before)
    ? before
    : undefined;
