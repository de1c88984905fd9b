/** Layers that normalise. */
import { require, show } from "../../base/errors.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { requireInteger } from "../../problem/geometry.js";
import type { Layout } from "../../problem/layout.js";
import type { Tensor } from "../../tensor/tensor.js";
import { batchNorm as normalizeBatch } from "../operations/batchNorm.js";
import { groupNorm as normalizeGroups } from "../operations/groupNorm.js";
import { runBoth, runFolded } from "./convNorm.js";
import type { PlainActivation, Tail } from "./fusion.js";
import { type Init, parameter, requireInit } from "./layer.js";
import { makeModule, type Module } from "./module.js";

export interface NormLayerOptions {
  /** Added to the variance, 1e-5 when absent. */
  readonly eps?: number;
  /** Applied to the result, in the same pass. None when absent. */
  readonly activation?: PlainActivation;
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
  const { eps = 1e-5, activation, layout = "channels-first" } = options;
  const values = { weight, bias, runningMean, runningVar };
  const byBatch = ({ training, frozen }: Module): boolean => training && !frozen;
  const run = (x: Tensor, tail: Tail, self: Module): Tensor =>
    normalizeBatch(x, { ...values, training: byBatch(self), ...options, ...tail });
  return makeModule(
    { kind: "batchNorm", parameters: { weight, bias }, buffers, forward: (x, self) => run(x, {}, self) },
    {
      run: isPlain(activation) ? run : undefined,
      runBehind(layer, x, tail, self) {
        const isFolded = !byBatch(self) && layer.fusion?.convolution?.layout === layout;
        const own = activation === undefined || isPlain(activation) ? tail : { activation };
        const y = isFolded ? runFolded(layer, self, { ...values, eps }, x, own) : undefined;
        return y ?? runBoth(layer, self, x, tail);
      },
    },
  );
}

const isPlain = (activation: PlainActivation | undefined): boolean => activation === undefined || activation === "none";

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
  const run = (x: Tensor, tail: Tail = {}): Tensor => normalizeGroups(x, groups, { weight, bias, ...options, ...tail });
  return makeModule(
    { kind: `groupNorm, ${String(groups)} groups`, parameters: { weight, bias }, forward: (x) => run(x) },
    { run: isPlain(options.activation) ? run : undefined },
  );
}

const affine = (init: Init, channels: number): { readonly weight: Tensor; readonly bias: Tensor } => ({
  weight: constant(init, channels, 1),
  bias: constant(init, channels, 0),
});

/** Statistics and what scales them are float32, whatever the other parameters are. */
function constant(init: Init, channels: number, value: number): Tensor {
  return parameter({ ...init, dtype: "float32" }, new Float32Array(channels).fill(value), [channels]);
}
