/** What an ONNX operator is to the reader. Layouts are channels-first. */
import { show } from "../../../base/errors.js";
import type { Padding } from "../../../problem/options.js";
import type { Rank } from "../../../problem/problem.js";
import type { NodeParts } from "../../chain.js";
import type { NodeReader } from "../node.js";

/** What a node computes, of each of its results; a value that it only passes on. */
export type Computed = readonly NodeParts[] | { readonly same: string };

export interface Operator {
  /** The attributes that it knows; others are refused. */
  readonly attributes: readonly string[];
  readonly read: (node: NodeReader) => Computed;
  /** Likewise for nodes of several results, one after the other. */
  readonly results?: (node: NodeReader) => readonly NodeParts[];
}

export const LAYOUT = { layout: "channels-first" } as const;

/** How many spatial axes a filter or a list of numbers for them has. */
export function rankOf(node: NodeReader, axes: number): Rank {
  if (axes !== 1 && axes !== 2 && axes !== 3)
    throw node.error(`has ${String(axes)} spatial axes; expected one to three`);
  return axes;
}

/** ONNX's pads: all beginnings, then all ends. */
export function padsOf(node: NodeReader, rank: number): Padding {
  const pads = node.integers("pads") ?? new Array<number>(2 * rank).fill(0);
  const auto = node.text("auto_pad", "NOTSET");
  if (auto === "SAME_UPPER") return "same";
  if (auto === "SAME_LOWER") return "same-lower";
  if (auto === "VALID") return "valid";
  if (auto !== "NOTSET")
    throw node.error(`has auto_pad ${show(auto)}; expected NOTSET, SAME_UPPER, SAME_LOWER or VALID`);
  return pairsOf(node, pads, rank);
}

export function pairsOf(node: NodeReader, pads: readonly number[], rank: number): [number, number][] {
  if (pads.length !== 2 * rank)
    throw node.error(`has pads ${show([...pads])}; expected ${String(2 * rank)} numbers, two an axis`);
  return Array.from({ length: rank }, (_, axis) => [pads[axis], pads[rank + axis]]);
}
