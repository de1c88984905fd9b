/** What is benchmarked: the layer that the settings name. */
import { type Layer, layerName, LAYERS } from "../../../benchmark/layers.js";
import type { Pass } from "../../../benchmark/passes.js";
import type { LayerShapes } from "../../reference/jobs.js";
import type { ValuesOf } from "../../settings/schema.js";
import { type BenchmarkSchema, OWN } from "./part.js";

export const PASS_NAMES: Readonly<Record<Pass, string>> = {
  forward: "Forward",
  inputGradient: "Input gradient",
  weightGradient: "Weight gradient",
};

export interface NamedLayer extends LayerShapes {
  readonly name: string;
}

/** At the size at which its network uses it, batch 1. */
function atFullSize(layer: Layer): NamedLayer {
  const { inChannels, outChannels, kernel, extent, options } = layer;
  const weight = [outChannels, inChannels / options.groups, kernel, kernel];
  return { name: layerName(layer), input: [1, inChannels, extent, extent], weight, options };
}

/** One of each kind. */
export const TYPICAL_LAYERS: readonly NamedLayer[] = LAYERS.filter(({ quick }) => quick).map(atFullSize);

/** The layer that the settings name, batch 1. */
export function layerOf(settings: ValuesOf<BenchmarkSchema>): NamedLayer {
  const named = LAYERS.find((layer) => layerName(layer) === settings.layer);
  if (named && settings.layer !== OWN) return atFullSize(named);
  const { C, K, F, W, S, P, D, G } = settings;
  const plain = S === 1 && D === 1 && G === 1;
  const rest = plain ? "" : `, stride ${String(S)}, dilation ${String(D)}, groups ${String(G)}`;
  return {
    name: `${String(F)}x${String(F)}, ${String(C)} to ${String(K)} channels, ${String(W)} x ${String(W)}, padding ${String(P)}${rest}`,
    input: [1, C, W, W],
    // Where groups do not divide the channels the engine says so.
    weight: [K, Math.floor(C / G), F, F],
    options: { stride: S, padding: P, dilation: D, groups: G },
  };
}
