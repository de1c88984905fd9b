/** The layer, step by step: name, settings, and where its code is. */
import type { Part } from "../part.js";

export const schema = {};

export const layer: Part<typeof schema> = {
  id: "layer",
  name: "Step by step",
  title: "The layer, step by step",
  summary:
    "A window slides over a small volume: see every number, every product and every sum, forward and backward, and change what you like.",
  schema,
  load: async () => await import("./layerPart.js"),
};
