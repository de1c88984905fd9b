/** Activation maps, live: name, settings, and where its code is. */
import type { Part } from "../part.js";

export const schema = {};

export const maps: Part<typeof schema> = {
  id: "maps",
  name: "Activation maps",
  title: "Activation maps, live",
  summary: "A picture or your camera through a first layer of filters, each drawn as the map of what it fires on.",
  schema,
  load: async () => await import("./mapsPart.js"),
};
