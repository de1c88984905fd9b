/** Activations by themselves and their gradients, and how a layer's gradients take dy back through its activation. */
import { type ActivationSpec, asStored, derivativeSource, readActivation } from "../problem/activation.js";
import { require, show } from "../base/errors.js";
import { fromHalfBits, toHalfBits } from "../base/half.js";
import { requireOptions } from "../base/optionKeys.js";
import type { DType } from "../problem/dtype.js";
import { product } from "../problem/geometry.js";
import { type Layout, readLayout } from "../problem/layout.js";
import { type ConvProblem, makeProblem } from "../problem/problem.js";
import { requireTensor, type Tensor } from "../tensor/tensor.js";
import { type ActivationGradient, channelsOf, readActivationGradient } from "./activationGradient.js";
import {
  type Call,
  makeCall,
  plainOperation,
  readSlopes,
  type RoleTensors,
  type Run,
  runOne,
  SLOPES,
  valuesOf,
} from "./calls.js";
import {
  ACTIVATE_OPTIONS,
  type ActivateOptions,
  type Activation,
  ACTIVATION_GRADIENT_OPTIONS,
  type ActivationGradientOptions,
  type GradientOptions,
} from "./options.js";

export function activate(run: Run, x: Tensor, activation: Activation, options: ActivateOptions): Tensor {
  requireTensor("x", x);
  requireOptions(options, ACTIVATE_OPTIONS);
  const axis = channelAxis(x.shape, readLayout(options.layout));
  requireActivation(activation);
  const spec = readActivation(activation);
  const slopes = readSlopes(activation, channelsOf(x.shape, axis));
  return runOne(run, activateCall(x, spec, slopes, axis), x.shape);
}

export function activationGradient(run: Run, dy: Tensor, options: ActivationGradientOptions): Tensor {
  requireTensor("dy", dy);
  requireOptions(options, ACTIVATION_GRADIENT_OPTIONS);
  requireActivation(options.activation);
  const axis = channelAxis(dy.shape, readLayout(options.layout));
  const gradient = readActivationGradient(dy, dy.shape, options, axis);
  return runOne(run, activationGradientCall(dy, gradient, axis), dy.shape);
}

export function slopeGradient(run: Run, dy: Tensor, options: Omit<ActivationGradientOptions, "output">): Tensor {
  requireTensor("dy", dy);
  requireOptions(options, ACTIVATION_GRADIENT_OPTIONS);
  requireActivation(options.activation);
  return slopeGradientOf(run, dy, dy.shape, options, true);
}

/** The gradient of the slopes of a layer's prelu. `shape` is that of the layer's result. */
export function slopeGradientOf(
  run: Run,
  dy: Tensor,
  shape: readonly number[],
  options: GradientOptions,
  batched: boolean,
): Tensor {
  const axis = channelAxis(shape, readLayout(options.layout), batched);
  return runOne(run, slopeGradientCall(dy, readActivationGradient(dy, shape, options, axis), axis));
}

/** What the gradient of an activation needs to know of its layer's result. */
export interface LayerResult {
  readonly shape: readonly number[];
  readonly batched: boolean;
  /** Whether the layer's gradient kernels can apply a derivative while they read dy. */
  readonly mayFuse: boolean;
}

/**
 * Calls `use` with what a gradient reads: dy and, where the kernels apply the activation's derivative themselves, the tensor
 * that it is computed from. Where they do not, a pass over dy applies it first.
 */
export function throughActivation<Result>(
  run: Run,
  dy: Tensor,
  { shape, batched, mayFuse }: LayerResult,
  options: GradientOptions,
  use: (operands: { readonly y: Tensor; readonly activated?: Tensor }) => Result,
): Result {
  const axis = channelAxis(shape, readLayout(options.layout), batched);
  const gradient = readActivationGradient(dy, shape, options, axis);
  if (!gradient.source) return use({ y: dy });
  if (gradient.fused && mayFuse) return use({ y: dy, activated: gradient.source });
  using before = runOne(run, activationGradientCall(dy, gradient, axis), dy.shape);
  return use({ y: before });
}

/** Throws where there is no activation. A layer may do without one; an operation that is nothing else needs it. */
function requireActivation(activation: Activation | undefined): void {
  require(activation !== undefined, () => "activation is undefined; expected a name, or { name } with its parameters");
}

/** The dimension of the channels in a tensor of any rank. A list of values has none: the dimension is then beyond its shape. */
const channelAxis = ({ length }: readonly number[], layout: Layout, batched = true): number =>
  layout === "channels-last" && length > 1 ? length - 1 : batched ? 1 : 0;

/** A pointwise problem that stands for an elementwise pass over a tensor. It has one channel unless channels have slopes. */
function elementwiseProblem({ shape, size }: Tensor, activation: ActivationSpec, axis: number): ConvProblem {
  const channels = activation.name === "prelu" && activation.slopes > 1 ? activation.slopes : 1;
  if (size === 0) return makeProblem(1, [0, channels, 1], [channels, 1, 1], { groups: channels });
  if (channels === 1) return makeProblem(1, [1, 1, size], [1, 1, 1]);
  const inputShape = [product(shape.slice(0, axis)), channels, product(shape.slice(axis + 1))];
  return makeProblem(1, inputShape, [channels, 1, 1], { groups: channels });
}

/** An activation element by element. */
function activateCall(x: Tensor, activation: ActivationSpec, slopes: Tensor | undefined, axis: number): Call {
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

/** The activation of a layer on its own, on a tensor shaped as the layer's result. */
export function activateResult(
  run: Run,
  z: Tensor,
  activation: ActivationSpec,
  slopes: Tensor | undefined,
  { layout, batched }: Pick<ConvProblem, "layout" | "batched">,
): Tensor {
  return runOne(run, activateCall(z, activation, slopes, channelAxis(z.shape, layout, batched)), z.shape);
}

/**
 * dy before an activation, element by element.
 *
 * @param problem that of the activation's own call; that of a list of values when absent, for an activation without slopes
 */
export function beforeActivation(
  run: Run,
  dy: Tensor,
  gradient: Omit<ActivationGradient, "fused">,
  problem = elementwiseProblem(dy, gradient.activation, 1),
): Tensor {
  return runOne(run, gradientCallFor(dy, gradient, problem), dy.shape);
}

/** The gradients of a prelu's slopes, by the problem of the activation's own call. */
export function slopesBefore(
  run: Run,
  dy: Tensor,
  preActivation: Tensor,
  activation: ActivationSpec,
  problem: ConvProblem,
): Tensor {
  const operation = { ...plainOperation("slopeGradient", problem, valuesOf(dy, "dy")), activation };
  return runOne(run, makeCall(operation, { y: dy, activated: preActivation }, { y: "dy" }, {}));
}

/** dy before an activation, element by element. Without an activation it is dy. */
const activationGradientCall = (dy: Tensor, gradient: Omit<ActivationGradient, "fused">, axis: number): Call =>
  gradientCallFor(dy, gradient, elementwiseProblem(dy, gradient.activation, axis));

function gradientCallFor(
  dy: Tensor,
  { activation, source, slopes }: Omit<ActivationGradient, "fused">,
  problem: ConvProblem,
): Call {
  const values = valuesOf(dy, "dy");
  const operation = {
    ...plainOperation("activationGradient", problem, values),
    activation: asStored(activation, ROUND[values.dtype]),
  };
  const names = { y: "dy", activated: derivativeSource(activation), slopes: SLOPES };
  return makeCall(operation, withSlopes({ y: dy, activated: source ?? dy }, slopes), names, {});
}

/** The gradient of a prelu's slopes. */
function slopeGradientCall(
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
