/** The power of small filters: name, settings, and where its code is. */
import type { Part } from "../part.js";

export const schema = {};

export const small: Part<typeof schema> = {
  id: "small",
  name: "Small filters",
  title: "The power of small filters",
  summary:
    "Stacks of small filters see as far as a large one, with fewer weights and fewer multiply-adds: counted, and timed on this device.",
  schema,
  load: async () => await import("./smallPart.js"),
};
