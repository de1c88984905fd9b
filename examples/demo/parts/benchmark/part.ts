/** Benchmark: name, settings, and where its code is. */
import type { Part } from "../part.js";

export const schema = {};

export const benchmark: Part<typeof schema> = {
  id: "benchmark",
  name: "Benchmark",
  title: "Benchmark",
  summary:
    "The engine on this device against the CPU reference: time, largest error and memory, for layers of well-known networks or your own.",
  schema,
  load: async () => await import("./benchmarkPart.js"),
};
