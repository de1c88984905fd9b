/** The layer, step by step: name, settings, and where its code is. */
import { choice, edits, flag, integer } from "../../settings/schema.js";
import type { Part } from "../part.js";
import { LIMITS, MODES, VIEWS } from "./limits.js";

/** Numbers that a link carries at most. */
const MOST_EDITS = 200;

export const schema = {
  W: integer(7, LIMITS.W),
  C: integer(3, LIMITS.C),
  F: integer(3, LIMITS.F),
  S: integer(2, LIMITS.S),
  P: integer(1, LIMITS.P),
  D: integer(1, LIMITS.D),
  K: integer(2, LIMITS.K),
  mode: choice("zeros", MODES),
  view: choice("forward", VIEWS),
  /** Which result the window is at. */
  at: integer(0, [0, 9999]),
  /** Whether results that the window has not reached are shown too. */
  all: flag(false),
  pace: integer(3, LIMITS.pace),
  seed: integer(1, [1, 9999]),
  x: edits(MOST_EDITS, LIMITS.numbers),
  w: edits(MOST_EDITS, LIMITS.numbers),
  b: edits(MOST_EDITS, LIMITS.numbers),
  dy: edits(MOST_EDITS, LIMITS.numbers),
};
export type LayerSchema = typeof schema;

export const layer: Part<LayerSchema> = {
  id: "layer",
  name: "Step by step",
  title: "The layer, step by step",
  summary:
    "A window slides over a small volume: see every number, every product and every sum, forward and backward, and change what you like.",
  schema,
  load: async () => await import("./layerPart.js"),
};
