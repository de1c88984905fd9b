/** Normalisations of each sample by itself: groups of channels, single channels, or the last axes. */
import { require, show } from "../../base/errors.js";
import { listOf, type NumberList } from "../../base/list.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { product } from "../../problem/geometry.js";
import { type Layout, readLayout } from "../../problem/layout.js";
import type { Tensor } from "../../tensor/tensor.js";
import { showShape, specOf } from "../core/operation.js";
import { membersOf, normShape, type NormShape } from "./norm/normShape.js";
import { NORM_KEYS, type NormOptions, runNorm } from "./norm/runNorm.js";

export type GroupNormOptions = NormOptions;
export type InstanceNormOptions = NormOptions;
/** Weight and bias have a value an element of `normalizedShape`. */
export type LayerNormOptions = Omit<NormOptions, "layout">;

const KEYS = optionKeys<NormOptions>(NORM_KEYS);
const LAYER_KEYS = optionKeys<LayerNormOptions>({ weight: 1, bias: 1, eps: 1, residual: 1, activation: 1 });

/**
 * Group normalisation, as PyTorch's `F.group_norm` (Wu and He, 2018): channels of a sample in `groups` groups of neighbours, each by its
 * mean and variance; then weight and bias of each channel, residual and activation. Gradients: x, weight, bias, residual.
 *
 * @param x `[N, C, ...]`, or `[N, ..., C]` for "channels-last"; float32 or float16
 * @param groups a divisor of C
 * @returns a tensor like x
 */
export function groupNorm(x: Tensor, groups: number, options: GroupNormOptions = {}): Tensor {
  requireOptions(options, KEYS);
  const layout = readLayout(options.layout);
  const { shape } = specOf(x, "x");
  require(shape.length >= 2, () => {
    return `x has shape ${showShape(shape)}; expected at least two axes: samples and channels`;
  });
  const { channels } = normShape(shape, layout, 1);
  require(Number.isSafeInteger(groups) && groups >= 1 && channels % groups === 0, () => {
    return `groups is ${show(groups)}; expected a divisor of the ${String(channels)} channels of x, of shape ${showShape(shape)}`;
  });
  const view = normShape(shape, layout, groups);
  require(view.samples * membersOf(view) !== 1, () => {
    return `x has shape ${showShape(shape)} in ${String(groups)} groups; expected more than 1 value per channel, whose variance would be 0 of whatever value`;
  });
  return runSampleNorm("groupNorm", x, view, options);
}

/**
 * Instance normalisation, as PyTorch's `F.instance_norm` with the statistics of the input (Ulyanov et al., 2016): each channel of each
 * sample by the mean and variance of its positions; then weight and bias of each channel, residual and activation. Gradients: x, weight,
 * bias, residual. (By running statistics it would be {@link batchNorm} without training.)
 *
 * @param x `[N, C, L, ...]`, or `[N, L, ..., C]` for "channels-last"; float32 or float16
 * @returns a tensor like x
 * @throws ArgumentError where a channel has one position.
 */
export function instanceNorm(x: Tensor, options: InstanceNormOptions = {}): Tensor {
  requireOptions(options, KEYS);
  const layout: Layout = readLayout(options.layout);
  const { shape } = specOf(x, "x");
  require(shape.length >= 3, () => {
    return `x has shape ${showShape(shape)}; expected at least three axes: samples, channels and positions`;
  });
  const { channels, positions } = normShape(shape, layout, 1);
  require(positions > 1, () => {
    return `x has shape ${showShape(shape)}; expected more than 1 spatial element, whose variance would be 0 of whatever value`;
  });
  return runSampleNorm("instanceNorm", x, normShape(shape, layout, channels), options);
}

/**
 * Layer normalisation, as PyTorch's `F.layer_norm` (Ba et al., 2016): the values of the last axes by their mean and variance; then
 * weight and bias of each of them, residual and activation. Gradients: x, weight, bias, residual.
 *
 * @param normalizedShape extents of the last axes of x, or of the last one
 * @returns a tensor like x
 */
export function layerNorm(x: Tensor, normalizedShape: number | NumberList, options: LayerNormOptions = {}): Tensor {
  requireOptions(options, LAYER_KEYS);
  const { shape } = specOf(x, "x");
  const list: ArrayLike<unknown> | undefined =
    typeof normalizedShape === "number" ? [normalizedShape] : listOf(normalizedShape);
  const last = Array.from(list ?? [], Number);
  const before = shape.slice(0, shape.length - last.length);
  const isFit = last.length >= 1 && last.every((extent, i) => extent === shape[before.length + i]);
  require(isFit, () => {
    const shown = show(list ? Array.from(list) : normalizedShape);
    return `normalizedShape is ${shown}; expected the last extents of x, of shape ${showShape(shape)}, or the last one`;
  });
  const view = { samples: product(before), channels: product(last), positions: 1, channelsLast: true, groups: 1 };
  return runNorm({ name: "layerNorm", x, shape: view, parameterShape: last, options });
}

function runSampleNorm(name: string, x: Tensor, shape: NormShape, options: NormOptions): Tensor {
  return runNorm({ name, x, shape, parameterShape: [shape.channels], options });
}
