/** The operations of a whole engine, one method each: thin, since `calls/` has what they do. */
import type { NumberList } from "../base/list.js";
import { activate, activationGradient, slopeGradient } from "../calls/activations.js";
import type { Run } from "../calls/calls.js";
import type { ConvGradients } from "../calls/convGradients.js";
import {
  backward,
  biasGradient,
  type BiasGradientOptions,
  inputGradient,
  weightGradient,
} from "../calls/convolutionGradients.js";
import { convolution } from "../calls/convolutions.js";
import type {
  ActivateOptions,
  Activation,
  ActivationGradientOptions,
  BackwardOptions,
  ForwardOptions,
  GradientOptions,
  TransposedForwardOptions,
  TransposedGradientOptions,
} from "../calls/options.js";
import {
  transposedConvolution,
  transposedInputGradient,
  transposedWeightGradient,
} from "../calls/transposedConvolutions.js";
import { makeUnsharedProblem } from "../problem/unshared.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Context } from "./context.js";
import { ForwardEngine } from "./forwardEngine.js";

/**
 * Gradients of convolutions; transposed and locally connected ones, activations, and their gradients. Names and meanings are PyTorch's;
 * every result is the caller's to dispose of. Errors (ArgumentError, TensorError, LimitError, SolverError) name the rule and
 * the values, and come from the call.
 */
export abstract class Operations extends ForwardEngine {
  readonly #run: Run;

  protected constructor(context: Context) {
    super(context);
    this.#run = (call, shapes) => context.run(call, shapes);
  }

  /** Gradient of {@link conv1d} with respect to its input, as {@link conv2dInputGradient}. */
  conv1dInputGradient(dy: Tensor, w: Tensor, inputShape: NumberList, options: GradientOptions = {}): Tensor {
    return inputGradient(this.#run, 1, dy, w, inputShape, options);
  }

  /**
   * Gradient of {@link conv2d} with respect to its input: a transposed convolution of dy with w.
   *
   * @param dy gradient of the output, `[N, out, OH, OW]`
   * @param w weight `[out, C / groups, kh, kw]`
   * @param inputShape shape of x, `[N, C, H, W]`
   * @param options those of the forward pass; with `activation`, also its `output` (or `preActivation`)
   * @returns dx, shaped as x
   */
  conv2dInputGradient(dy: Tensor, w: Tensor, inputShape: NumberList, options: GradientOptions = {}): Tensor {
    return inputGradient(this.#run, 2, dy, w, inputShape, options);
  }

  /** Gradient of {@link conv3d} with respect to its input, as {@link conv2dInputGradient}. */
  conv3dInputGradient(dy: Tensor, w: Tensor, inputShape: NumberList, options: GradientOptions = {}): Tensor {
    return inputGradient(this.#run, 3, dy, w, inputShape, options);
  }

  /** Gradient of {@link conv1d} with respect to its weight, as {@link conv2dWeightGradient}. */
  conv1dWeightGradient(dy: Tensor, x: Tensor, weightShape: NumberList, options: GradientOptions = {}): Tensor {
    return weightGradient(this.#run, 1, dy, x, weightShape, options);
  }

  /**
   * Gradient of {@link conv2d} with respect to its weight: x correlated with dy, summed over the batch.
   *
   * @param dy gradient of the output, `[N, out, OH, OW]`
   * @param x input `[N, C, H, W]`
   * @param weightShape shape of w, `[out, C / groups, kh, kw]`
   * @param options those of the forward pass; with `activation`, also its `output` (or `preActivation`)
   * @returns dw, shaped as w
   */
  conv2dWeightGradient(dy: Tensor, x: Tensor, weightShape: NumberList, options: GradientOptions = {}): Tensor {
    return weightGradient(this.#run, 2, dy, x, weightShape, options);
  }

  /** Gradient of {@link conv3d} with respect to its weight, as {@link conv2dWeightGradient}. */
  conv3dWeightGradient(dy: Tensor, x: Tensor, weightShape: NumberList, options: GradientOptions = {}): Tensor {
    return weightGradient(this.#run, 3, dy, x, weightShape, options);
  }

  /** Gradient of {@link conv1d} with respect to its bias, as {@link conv2dBiasGradient}. */
  conv1dBiasGradient(dy: Tensor, options: BiasGradientOptions = {}): Tensor {
    return biasGradient(this.#run, 1, dy, options);
  }

  /**
   * Gradient of {@link conv2d} (and of a transposed convolution) with respect to its bias: dy summed over batch and
   * positions.
   *
   * @param dy gradient of the output, `[N, out, OH, OW]`
   * @param options those of the layer: the sum depends on `layout` and `activation` alone, the others are checked
   * @returns db, `[out]`
   */
  conv2dBiasGradient(dy: Tensor, options: BiasGradientOptions = {}): Tensor {
    return biasGradient(this.#run, 2, dy, options);
  }

  /** Gradient of {@link conv3d} with respect to its bias, as {@link conv2dBiasGradient}. */
  conv3dBiasGradient(dy: Tensor, options: BiasGradientOptions = {}): Tensor {
    return biasGradient(this.#run, 3, dy, options);
  }

  /** All three gradients of {@link conv1d}, as {@link conv2dBackward}. */
  conv1dBackward(dy: Tensor, x: Tensor, w: Tensor, options: BackwardOptions = {}): ConvGradients {
    return backward(this.#run, 1, dy, x, w, options);
  }

  /**
   * All three gradients of {@link conv2d}, and that of a prelu's slopes. The bias gradient is computed inside the weight
   * gradient's kernel, so this takes one pass over dy less than the three calls.
   *
   * @param dy gradient of the output, `[N, out, OH, OW]`
   * @param x input `[N, C, H, W]`
   * @param w weight `[out, C / groups, kh, kw]`
   * @param options as of one gradient; `solver` names one for both kernels, or `{ input, weight }` one for each
   */
  conv2dBackward(dy: Tensor, x: Tensor, w: Tensor, options: BackwardOptions = {}): ConvGradients {
    return backward(this.#run, 2, dy, x, w, options);
  }

  /** All three gradients of {@link conv3d}, as {@link conv2dBackward}. */
  conv3dBackward(dy: Tensor, x: Tensor, w: Tensor, options: BackwardOptions = {}): ConvGradients {
    return backward(this.#run, 3, dy, x, w, options);
  }

  /** {@link convTranspose2d} over one spatial axis: x `[N, in, W]`, w `[in, out / groups, kw]`. */
  convTranspose1d(x: Tensor, w: Tensor, options: TransposedForwardOptions = {}): Tensor {
    return transposedConvolution(this.#run, 1, x, w, options);
  }

  /**
   * 2D transposed convolution: every x spreads over `w * x`, at steps of `stride`; the adjoint of a convolution.
   *
   * @param x input `[N, in, H, W]`; without N for one sample, N may be 0
   * @param w weight `[in, out / groups, kh, kw]`, or as `options.weightLayout` says ("IOHW" and its like)
   * @returns `[N, out, OH, OW]`, or without N as x, with
   *   `OH = (H - 1) * S - padTop - padBottom + D * (kh - 1) + 1 + outputPadding`; `H * S` with padding "same"
   */
  convTranspose2d(x: Tensor, w: Tensor, options: TransposedForwardOptions = {}): Tensor {
    return transposedConvolution(this.#run, 2, x, w, options);
  }

  /** {@link convTranspose2d} over three spatial axes: x `[N, in, D, H, W]`, w `[in, out / groups, kd, kh, kw]`. */
  convTranspose3d(x: Tensor, w: Tensor, options: TransposedForwardOptions = {}): Tensor {
    return transposedConvolution(this.#run, 3, x, w, options);
  }

  /** Gradient of {@link convTranspose1d} with respect to its input, as {@link convTranspose2dInputGradient}. */
  convTranspose1dInputGradient(
    dy: Tensor,
    w: Tensor,
    inputShape: NumberList,
    options: TransposedGradientOptions = {},
  ): Tensor {
    return transposedInputGradient(this.#run, 1, dy, w, inputShape, options);
  }

  /**
   * Gradient of {@link convTranspose2d} with respect to its input: a convolution of dy with w.
   *
   * @param dy gradient of the output
   * @param inputShape shape of x, `[N, in, H, W]`
   * @param options those of the forward pass, with its `outputPadding` or `outputSize`
   */
  convTranspose2dInputGradient(
    dy: Tensor,
    w: Tensor,
    inputShape: NumberList,
    options: TransposedGradientOptions = {},
  ): Tensor {
    return transposedInputGradient(this.#run, 2, dy, w, inputShape, options);
  }

  /** Gradient of {@link convTranspose3d} with respect to its input, as {@link convTranspose2dInputGradient}. */
  convTranspose3dInputGradient(
    dy: Tensor,
    w: Tensor,
    inputShape: NumberList,
    options: TransposedGradientOptions = {},
  ): Tensor {
    return transposedInputGradient(this.#run, 3, dy, w, inputShape, options);
  }

  /** Gradient of {@link convTranspose1d} with respect to its weight, as {@link convTranspose2dWeightGradient}. */
  convTranspose1dWeightGradient(
    dy: Tensor,
    x: Tensor,
    weightShape: NumberList,
    options: TransposedGradientOptions = {},
  ): Tensor {
    return transposedWeightGradient(this.#run, 1, dy, x, weightShape, options);
  }

  /**
   * Gradient of {@link convTranspose2d} with respect to its weight.
   *
   * @param dy gradient of the output
   * @param x input `[N, in, H, W]`
   * @param weightShape shape of w, `[in, out / groups, kh, kw]`
   * @param options those of the forward pass, with its `outputPadding` or `outputSize`
   */
  convTranspose2dWeightGradient(
    dy: Tensor,
    x: Tensor,
    weightShape: NumberList,
    options: TransposedGradientOptions = {},
  ): Tensor {
    return transposedWeightGradient(this.#run, 2, dy, x, weightShape, options);
  }

  /** Gradient of {@link convTranspose3d} with respect to its weight, as {@link convTranspose2dWeightGradient}. */
  convTranspose3dWeightGradient(
    dy: Tensor,
    x: Tensor,
    weightShape: NumberList,
    options: TransposedGradientOptions = {},
  ): Tensor {
    return transposedWeightGradient(this.#run, 3, dy, x, weightShape, options);
  }

  /**
   * A 2D locally connected layer: {@link conv2d} with its own filters at each output position. It has as many times the
   * weights as there are positions, and is there to show what sharing them saves.
   *
   * @param x input `[N, C, H, W]`, or as `options.layout` says
   * @param w weight `[OH, OW, out, C / groups, kh, kw]`
   * @returns as {@link conv2d}
   */
  locallyConnected2d(x: Tensor, w: Tensor, options: ForwardOptions = {}): Tensor {
    return convolution(this.#run, 2, x, w, options, makeUnsharedProblem);
  }

  /** Gradient of {@link locallyConnected2d} with respect to its input, as {@link conv2dInputGradient}. */
  locallyConnected2dInputGradient(
    dy: Tensor,
    w: Tensor,
    inputShape: NumberList,
    options: GradientOptions = {},
  ): Tensor {
    return inputGradient(this.#run, 2, dy, w, inputShape, options, makeUnsharedProblem);
  }

  /** Gradient of {@link locallyConnected2d} with respect to its weight, as {@link conv2dWeightGradient}. */
  locallyConnected2dWeightGradient(
    dy: Tensor,
    x: Tensor,
    weightShape: NumberList,
    options: GradientOptions = {},
  ): Tensor {
    return weightGradient(this.#run, 2, dy, x, weightShape, options, makeUnsharedProblem);
  }

  /**
   * Applies an activation to every element: for layers whose gradient needs the value before it (gelu, hard-swish, silu,
   * softplus, prelu).
   *
   * @param x of any shape; channels, for a prelu's slopes, are its second dimension, or where `options.layout` says
   */
  activate(x: Tensor, activation: Activation, options: ActivateOptions = {}): Tensor {
    return activate(this.#run, x, activation, options);
  }

  /**
   * dy before an activation from dy after it: `dy * activation'`, element by element; NaN where either factor is.
   *
   * @param options the `activation`, and its `output` or `preActivation`, shaped as dy
   */
  activationGradient(dy: Tensor, options: ActivationGradientOptions): Tensor {
    return activationGradient(this.#run, dy, options);
  }

  /**
   * Gradient of a prelu with respect to its slopes: the sum of `dy * min(x, 0)`, of each channel or of everything.
   *
   * @param dy gradient of the prelu's output
   * @param options the prelu as `activation`, and the `preActivation` x that it was applied to, shaped as dy
   * @returns a tensor shaped as the slopes
   */
  slopeGradient(dy: Tensor, options: Omit<ActivationGradientOptions, "output">): Tensor {
    return slopeGradient(this.#run, dy, options);
  }
}
