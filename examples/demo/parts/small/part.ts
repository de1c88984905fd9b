/** The power of small filters: name, settings, and where its code is. */
import { roundsSetting } from "../../settings/rounds.js";
import { choice, integer } from "../../settings/schema.js";
import type { Part } from "../part.js";

export const COMPARISONS = ["seven", "five", "dilated", "bottleneck"] as const;
export type ComparisonName = (typeof COMPARISONS)[number];

export const schema = {
  compare: choice("seven", COMPARISONS),
  /** Channels of the stacks, but for bottlenecks. */
  C: choice("32", ["16", "32", "64", "128"]),
  /** Height and width. */
  W: choice("28", ["14", "28", "56", "112"]),
  rounds: roundsSetting,
  seed: integer(1, [1, 9999]),
};
export type SmallSchema = typeof schema;

export const small: Part<SmallSchema> = {
  id: "small",
  name: "Small filters",
  title: "The power of small filters",
  summary:
    "Stacks of small filters can see as far as a large one, with fewer weights and fewer multiply-adds: counted, and timed on this device.",
  schema,
  load: async () => await import("./smallPart.js"),
};
