/** The activation of a layer, as its gradients are given it. */
import { type ActivationSpec, derivativeSource, readActivation } from "../problem/activation.js";
import { require, show } from "../base/errors.js";
import { isFusedMask } from "../problem/operation.js";
import { requireSameShape } from "../problem/shapes.js";
import { requireTensor, type Tensor } from "../tensor/tensor.js";
import { readSlopes } from "./calls.js";
import type { GradientOptions } from "./options.js";

/** How a gradient applies the derivative of the layer's activation to dy. */
export interface ActivationGradient {
  readonly activation: ActivationSpec;
  /** The tensor that the derivative is computed from; undefined where there is no activation. */
  readonly source: Tensor | undefined;
  /** The slopes of a prelu. */
  readonly slopes: Tensor | undefined;
  /** Whether the gradient's kernels apply the derivative themselves. */
  readonly fused: boolean;
}

/**
 * Checks dy and what the activation's derivative needs, against the shape of the layer's result.
 *
 * @param axis of dy's channels, for the slopes of a prelu
 */
export function readActivationGradient(
  dy: Tensor,
  shape: readonly number[],
  options: GradientOptions,
  axis: number,
): ActivationGradient {
  requireTensor("dy", dy);
  requireSameShape("dy", dy.shape, shape, "the output's shape");
  const activation = readActivation(options.activation);
  const wanted = derivativeSource(activation);
  const source = activation.name === "none" ? undefined : options[wanted];
  require(activation.name === "none" || source !== undefined, () => {
    const meaning = wanted === "output" ? "the forward pass' output" : "the value that it was applied to";
    return `activation ${show(activation.name)} in a gradient needs options.${wanted}, ${meaning}; got none`;
  });
  requireUse(activation, shape, options);
  if (source === undefined) return { activation, source, slopes: undefined, fused: false };
  const slopes = readSlopes(options.activation, channelsOf(shape, axis));
  return { activation, source, slopes, fused: isFusedMask(activation) };
}

/** Throws for a tensor that the derivative is not taken from: the caller means another activation, or another tensor. */
function requireUse(activation: ActivationSpec, shape: readonly number[], options: GradientOptions): void {
  for (const given of ["output", "preActivation"] as const) {
    const tensor = options[given];
    if (tensor === undefined) continue;
    const { activation: named } = options;
    require(named !== undefined, () => `${given} is given, but no activation; expected both, or neither`);
    requireTensor(given, tensor);
    requireSameShape(given, tensor.shape, shape, "the shape of dy");
    const wanted = derivativeSource(activation);
    require(activation.name === "none" || given === wanted, () => {
      return `${given} is given, and activation ${show(activation.name)}, whose gradient is taken from options.${wanted}; expected that alone`;
    });
  }
}

/** Channels along a dimension; 1 where there is no such dimension. */
export const channelsOf = (shape: readonly number[], axis: number): number => (axis < shape.length ? shape[axis] : 1);
