/** What is benchmarked, and what the page asks of the worker that runs the CPU reference. */
import type { ConvOptions } from "webgpu-conv";
import type { Comparison } from "webgpu-conv/reference";
import { layerName, LAYERS } from "../../../benchmark/layers.js";
import type { Pass } from "../../../benchmark/passes.js";
import type { ValuesOf } from "../../settings/schema.js";
import { type BenchmarkSchema, OWN } from "./part.js";

export const PASS_NAMES: Readonly<Record<Pass, string>> = {
  forward: "Forward",
  inputGradient: "Input gradient",
  weightGradient: "Weight gradient",
};

/** A layer at the size at which it is run. */
export interface LayerShapes {
  readonly name: string;
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions;
}

/** The layer that the settings name, batch 1. */
export function layerOf(settings: ValuesOf<BenchmarkSchema>): LayerShapes {
  const named = LAYERS.find((layer) => layerName(layer) === settings.layer);
  if (named && settings.layer !== OWN) {
    const { inChannels, outChannels, kernel, extent, options } = named;
    const weight = [outChannels, inChannels / options.groups, kernel, kernel];
    return { name: settings.layer, input: [1, inChannels, extent, extent], weight, options };
  }
  const { C, K, F, W, S, P, D, G } = settings;
  return {
    name: `${String(F)}x${String(F)}, ${String(C)} to ${String(K)} channels, ${String(W)} x ${String(W)}`,
    input: [1, C, W, W],
    // Where groups do not divide the channels the engine says so.
    weight: [K, Math.floor(C / G), F, F],
    options: { stride: S, padding: P, dilation: D, groups: G },
  };
}

/** A pass for the worker: the values that it reads, and what the device made of them. */
export interface Job {
  readonly pass: Pass;
  readonly layer: LayerShapes;
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly dy: Float32Array;
  readonly actual: Float32Array;
  /** Where Winograd's tiles computed it: their extent, which its bound depends on. */
  readonly tile: 2 | 4 | undefined;
}

/** The worker's answer. */
export interface Checked extends Pick<Comparison, "pass" | "maxError" | "bound"> {
  /** The reference's own time. */
  readonly milliseconds: number;
}
