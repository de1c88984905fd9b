/** Calls of activations on their own, and what a layer's gradients do about its activation. */
import { type ActivationSpec, asStored, derivativeSource, readActivation } from "../problem/activation.js";
import {
  type Call,
  makeCall,
  plainOperation,
  readSlopes,
  requireTensor,
  type RoleTensors,
  SLOPES,
  valuesOf,
} from "./calls.js";
import type { DType } from "../problem/dtype.js";
import { require, show } from "../base/errors.js";
import { product } from "../problem/geometry.js";
import { fromHalfBits, toHalfBits } from "../base/half.js";
import type { Layout } from "../problem/layout.js";
import { isFusedMask } from "../problem/operation.js";
import type { GradientOptions } from "./options.js";
import { type ConvProblem, makeProblem } from "../problem/problem.js";
import { requireSameShape } from "../problem/shapes.js";
import type { Tensor } from "../tensor/tensor.js";

/** What a gradient must do about the layer's activation before, or while, it reads dy. */
export interface ActivationGradient {
  readonly activation: ActivationSpec;
  /** What the derivative is computed from; undefined where there is no activation. */
  readonly source: Tensor | undefined;
  /** Of a prelu. */
  readonly slopes: Tensor | undefined;
  /** Whether the gradient's kernels apply it themselves. */
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

/** A tensor that no derivative would be taken from is a slip: of the activation's name, or of what it needs. */
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

/** Which dimension of a tensor of any rank the channels are; a list of values has none. */
export const channelAxis = ({ length }: readonly number[], layout: Layout, batched = true): number =>
  layout === "channels-last" && length > 1 ? length - 1 : batched ? 1 : 0;

/** Channels along a dimension; 1 where there is no such dimension. */
export const channelsOf = (shape: readonly number[], axis: number): number => (axis < shape.length ? shape[axis] : 1);

/** A pointwise problem over tensors of this shape: all that an elementwise pass depends on, one channel where all are alike. */
function elementwiseProblem({ shape, size }: Tensor, activation: ActivationSpec, axis: number): ConvProblem {
  const channels = activation.name === "prelu" && activation.slopes > 1 ? activation.slopes : 1;
  if (size === 0) return makeProblem(1, [0, channels, 1], [channels, 1, 1], { groups: channels });
  if (channels === 1) return makeProblem(1, [1, 1, size], [1, 1, 1]);
  const inputShape = [product(shape.slice(0, axis)), channels, product(shape.slice(axis + 1))];
  return makeProblem(1, inputShape, [channels, 1, 1], { groups: channels });
}

/** An activation element by element. */
export function activateCall(x: Tensor, activation: ActivationSpec, slopes: Tensor | undefined, axis: number): Call {
  const problem = elementwiseProblem(x, activation, axis);
  const operation = { ...plainOperation("activation", problem, valuesOf(x, "x")), activation };
  return makeCall(operation, withSlopes({ x }, slopes), { x: "x", slopes: SLOPES }, {});
}

const withSlopes = (operands: RoleTensors, slopes: Tensor | undefined): RoleTensors =>
  slopes ? { ...operands, slopes } : operands;

const ROUND: Readonly<Record<DType, (value: number) => number>> = {
  float32: Math.fround,
  float16: (value) => fromHalfBits(toHalfBits(value)),
};

/** dy before an activation, element by element; without an activation dy itself. */
export function activationGradientCall(
  dy: Tensor,
  { activation, source, slopes }: Omit<ActivationGradient, "fused">,
  axis: number,
): Call {
  const values = valuesOf(dy, "dy");
  const operation = {
    ...plainOperation("activationGradient", elementwiseProblem(dy, activation, axis), values),
    activation: asStored(activation, ROUND[values.dtype]),
  };
  const names = { y: "dy", activated: derivativeSource(activation), slopes: SLOPES };
  return makeCall(operation, withSlopes({ y: dy, activated: source ?? dy }, slopes), names, {});
}

/** The gradient of a prelu's slopes. */
export function slopeGradientCall(
  dy: Tensor,
  { activation, source, slopes }: Omit<ActivationGradient, "fused">,
  axis: number,
): Call {
  require(source !== undefined && slopes !== undefined, () => {
    return `activation is ${show(activation.name)}; expected { name: "prelu", slope }: others have no slopes to learn`;
  });
  const problem = elementwiseProblem(dy, activation, axis);
  const operation = { ...plainOperation("slopeGradient", problem, valuesOf(dy, "dy")), activation };
  return makeCall(operation, { y: dy, activated: source }, { y: "dy", activated: "preActivation" }, {});
}
