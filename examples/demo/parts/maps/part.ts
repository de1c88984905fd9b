/** Activation maps, live: name, settings, and where its code is. */
import { choice, edits, integer } from "../../settings/schema.js";
import type { Part } from "../part.js";

export const SOURCES = ["picture", "camera"] as const;
export const BANKS = ["bank", "random", "drawn"] as const;

export const TAP_RANGE = [-9, 9] as const;

export const schema = {
  source: choice("picture", SOURCES),
  filters: choice("bank", BANKS),
  /** Of random filters. */
  K: integer(8, [1, 16]),
  seed: integer(1, [1, 9999]),
  /** Taps of the filter drawn by hand that differ from its initial ones, row by row. */
  taps: edits(25, TAP_RANGE),
};
export type MapsSchema = typeof schema;

export const maps: Part<MapsSchema> = {
  id: "maps",
  name: "Activation maps",
  title: "Activation maps, live",
  summary: "A picture or your camera through a first layer of filters, each drawn as the map of what it fires on.",
  schema,
  load: async () => await import("./mapsPart.js"),
};
