/** What a Keras layer is to the reader. */
import { BEFORE, type NodeParts } from "../../chain.js";
import type { PlainActivation } from "../../graph.js";
import type { LayerReader } from "../layer.js";

/** Operations one after the other, from a layer's inputs to its result. Undefined for a layer that does nothing but in training. */
export type ReadLayer = (layer: LayerReader) => readonly NodeParts[] | undefined;

/** An operation that has an activation, or is followed by a softmax. */
export function activated(parts: NodeParts, activation: PlainActivation | "softmax" | undefined): NodeParts[] {
  if (activation === undefined) return [parts];
  if (activation === "softmax") return [parts, { op: "softmax", x: BEFORE, axis: -1 }];
  return [{ ...parts, activation } as NodeParts];
}
