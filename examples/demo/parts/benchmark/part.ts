/** Benchmark: name, settings, and where its code is. */
import { layerName, LAYERS } from "../../../benchmark/layers.js";
import { roundsSetting } from "../../settings/rounds.js";
import { choice, integer } from "../../settings/schema.js";
import type { Part } from "../part.js";

/** The visitor's own layer, beside the named ones. */
export const OWN = "own";

export const schema = {
  layer: choice("ResNet-50 conv2_x 3x3 64->64 56x56", [...LAYERS.map(layerName), OWN]),
  /** Of the visitor's own layer: input channels, filters, extent of filters and input, stride, padding, dilation, groups. */
  C: integer(16, [1, 512]),
  K: integer(16, [1, 512]),
  F: integer(3, [1, 11]),
  W: integer(28, [1, 224]),
  S: integer(1, [1, 4]),
  P: integer(1, [0, 10]),
  D: integer(1, [1, 8]),
  G: integer(1, [1, 512]),
  rounds: roundsSetting,
};
export type BenchmarkSchema = typeof schema;

export const benchmark: Part<BenchmarkSchema> = {
  id: "benchmark",
  name: "Benchmark",
  title: "Benchmark",
  summary:
    "The engine on this device against the CPU reference: time, largest error and memory, for layers of well-known networks or your own.",
  schema,
  load: async () => await import("./benchmarkPart.js"),
};
