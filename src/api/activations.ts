/** The activation methods of an engine, and what gradients of layers do about the layer's activation. */
import type { Activation } from "../calls/options.js";
import { readActivation } from "../problem/activation.js";
import {
  activateCall,
  activationGradientCall,
  channelAxis,
  channelsOf,
  readActivationGradient,
  slopeGradientCall,
} from "../calls/activationCalls.js";
import { type Call, readSlopes, requireTensor } from "../calls/calls.js";
import { require } from "../base/errors.js";
import { type Layout, readLayout } from "../problem/layout.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import type { GradientOptions } from "../calls/options.js";
import type { Tensor } from "../tensor/tensor.js";

/** Where the channels lie, for a prelu with a slope a channel. */
export interface ActivateOptions {
  /** "channels-first" when absent: the second dimension. */
  readonly layout?: Layout;
}

/** What the gradient of an activation on its own is told. */
export interface ActivationGradientOptions
  extends ActivateOptions, Pick<GradientOptions, "activation" | "output" | "preActivation"> {}

const ACTIVATE_OPTIONS = optionKeys<ActivateOptions>({ layout: 1 }, { string: "layout" });
const ACTIVATION_GRADIENT_OPTIONS = optionKeys<ActivationGradientOptions>(
  { activation: 1, output: 1, preActivation: 1, layout: 1 },
  { string: "activation", tensor: "output" },
);

/** Of a layer an activation may be absent; where it is all there is to do, it may not. */
function requireActivation(activation: Activation | undefined): void {
  require(activation !== undefined, () => "activation is undefined; expected a name, or { name } with its parameters");
}

export abstract class Activations {
  /** Runs a call; the results come in the order of `resultRoles`, in these shapes or the problem's own. */
  protected abstract run(call: Call, shapes?: readonly (readonly number[])[]): Tensor[];

  /**
   * Applies an activation to every element: for layers whose gradient needs the value before it (gelu, hard-swish, silu,
   * softplus, prelu).
   *
   * @param x of any shape; channels, for a prelu's slopes, are its second dimension, or where `options.layout` says
   */
  activate(x: Tensor, activation: Activation, options: ActivateOptions = {}): Tensor {
    requireTensor("x", x);
    requireOptions(options, ACTIVATE_OPTIONS);
    const axis = channelAxis(x.shape, readLayout(options.layout));
    requireActivation(activation);
    const spec = readActivation(activation);
    return this.one(activateCall(x, spec, readSlopes(activation, channelsOf(x.shape, axis)), axis), x.shape);
  }

  /**
   * dy before an activation from dy after it: `dy * activation'`, element by element; NaN where either factor is.
   *
   * @param options the `activation`, and its `output` or `preActivation`, shaped as dy
   */
  activationGradient(dy: Tensor, options: ActivationGradientOptions): Tensor {
    requireTensor("dy", dy);
    requireOptions(options, ACTIVATION_GRADIENT_OPTIONS);
    requireActivation(options.activation);
    const axis = channelAxis(dy.shape, readLayout(options.layout));
    const gradient = readActivationGradient(dy, dy.shape, options, axis);
    return this.one(activationGradientCall(dy, gradient, axis), dy.shape);
  }

  /**
   * Gradient of a prelu with respect to its slopes: the sum of `dy * min(x, 0)`, of each channel or of everything.
   *
   * @param dy gradient of the prelu's output
   * @param options the prelu as `activation`, and the `preActivation` x that it was applied to, shaped as dy
   * @returns a tensor shaped as the slopes
   */
  slopeGradient(dy: Tensor, options: Omit<ActivationGradientOptions, "output">): Tensor {
    requireTensor("dy", dy);
    requireOptions(options, ACTIVATION_GRADIENT_OPTIONS);
    requireActivation(options.activation);
    return this.slopeGradientOf(dy, dy.shape, options, true);
  }

  protected slopeGradientOf(dy: Tensor, shape: readonly number[], options: GradientOptions, batched: boolean): Tensor {
    const axis = channelAxis(shape, readLayout(options.layout), batched);
    return this.one(slopeGradientCall(dy, readActivationGradient(dy, shape, options, axis), axis));
  }

  /** Runs a call with one result. */
  protected one(call: Call, shape?: readonly number[]): Tensor {
    const [result] = this.run(call, shape && [shape]);
    return result;
  }

  /**
   * Hands `use` what a gradient reads: dy and, where the kernels apply the activation's derivative themselves, the
   * tensor that it comes from; else dy taken back through the activation in a pass of its own.
   */
  protected withGradient<Result>(
    dy: Tensor,
    shape: readonly number[],
    options: GradientOptions & { readonly mayFuse: boolean; readonly batched: boolean },
    use: (operands: { readonly y: Tensor; readonly activated?: Tensor }) => Result,
  ): Result {
    const axis = channelAxis(shape, readLayout(options.layout), options.batched);
    const gradient = readActivationGradient(dy, shape, options, axis);
    if (!gradient.source) return use({ y: dy });
    if (gradient.fused && options.mayFuse) return use({ y: dy, activated: gradient.source });
    using before = this.one(activationGradientCall(dy, gradient, axis), dy.shape);
    return use({ y: before });
  }
}
