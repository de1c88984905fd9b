/** Layers that normalise. */
import { require, show } from "../../base/errors.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import type { Activation } from "../../calls/options.js";
import { requireInteger } from "../../problem/geometry.js";
import type { Layout } from "../../problem/layout.js";
import type { Tensor } from "../../tensor/tensor.js";
import { batchNorm as normalizeBatch } from "../operations/batchNorm.js";
import { groupNorm as normalizeGroups } from "../operations/groupNorm.js";
import { type Init, parameter, requireInit } from "./layer.js";
import { defineModule, type Module } from "./module.js";

export interface NormLayerOptions {
  /** Added to the variance, 1e-5 when absent. */
  readonly eps?: number;
  /** Applied to the result, in the same pass. None when absent. */
  readonly activation?: Exclude<Activation<never>, { readonly name: "prelu" }>;
  /** "channels-first" when absent. */
  readonly layout?: Layout;
}

export interface BatchNormLayerOptions extends NormLayerOptions {
  /** How much of the running statistics a batch replaces: 0.1 when absent. */
  readonly momentum?: number;
}

const KEYS = { eps: 1, activation: 1, layout: 1 } as const;
const NORM_OPTIONS = optionKeys<NormLayerOptions>(KEYS);
const BATCH_NORM_OPTIONS = optionKeys<BatchNormLayerOptions>({ ...KEYS, momentum: 1 });

/**
 * Batch norm, over any number of spatial axes. `weight` begins as ones, `bias` as zeros; buffers are `running_mean` (zeros) and
 * `running_var` (ones). It normalises by the batch's statistics in training and by the running ones otherwise, or where it is frozen.
 */
export function batchNorm(init: Init, channels: number, options: BatchNormLayerOptions = {}): Module {
  requireOptions(options, BATCH_NORM_OPTIONS);
  requireInit(init);
  requireInteger("channels", channels, 1);
  const { weight, bias } = affine(init, channels);
  const buffers = { running_mean: constant(init, channels, 0), running_var: constant(init, channels, 1) };
  const { running_mean: runningMean, running_var: runningVar } = buffers;
  return defineModule({
    kind: "batchNorm",
    parameters: { weight, bias },
    buffers,
    forward(x, { training, frozen }) {
      return normalizeBatch(x, { weight, bias, runningMean, runningVar, training: training && !frozen, ...options });
    },
  });
}

/** Group norm: each sample by itself, its channels in so many groups. `weight` begins as ones, `bias` as zeros. */
export function groupNorm(init: Init, groups: number, channels: number, options: NormLayerOptions = {}): Module {
  requireOptions(options, NORM_OPTIONS);
  requireInit(init);
  requireInteger("groups", groups, 1);
  requireInteger("channels", channels, 1);
  require(channels % groups === 0, () => {
    return `channels is ${show(channels)}; expected a multiple of groups = ${String(groups)}`;
  });
  const { weight, bias } = affine(init, channels);
  return defineModule({
    kind: `groupNorm, ${String(groups)} groups`,
    parameters: { weight, bias },
    forward: (x) => normalizeGroups(x, groups, { weight, bias, ...options }),
  });
}

const affine = (init: Init, channels: number): { readonly weight: Tensor; readonly bias: Tensor } => ({
  weight: constant(init, channels, 1),
  bias: constant(init, channels, 0),
});

/** Statistics and what scales them are float32, whatever the other parameters are. */
function constant(init: Init, channels: number, value: number): Tensor {
  return parameter({ ...init, dtype: "float32" }, new Float32Array(channels).fill(value), [channels]);
}
