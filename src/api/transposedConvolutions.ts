/** The transposed convolution methods of an engine, for every rank. */
import { requireTensor, transposedForwardCall, transposedGradientCall } from "../calls/calls.js";
import { Convolutions } from "./convolutions.js";
import type { NumberList } from "../base/list.js";
import { requireOptions } from "../base/optionKeys.js";
import { type ForwardOptions, type GradientOptions, TRANSPOSED_GRADIENT_OPTIONS } from "../calls/options.js";
import type { TransposedSize } from "../problem/options.js";
import type { Rank } from "../problem/problem.js";
import type { Tensor } from "../tensor/tensor.js";
import { makeTransposedProblem } from "../problem/transposed.js";

/** Options of a transposed convolution's forward pass. */
export interface TransposedForwardOptions extends ForwardOptions, TransposedSize {}

/** Options of its gradients: those of the forward pass, `outputPadding` or `outputSize` included. */
export interface TransposedGradientOptions extends GradientOptions, TransposedSize {}

export abstract class TransposedConvolutions extends Convolutions {
  /** {@link convTranspose2d} over one spatial axis: x `[N, in, W]`, w `[in, out / groups, kw]`. */
  convTranspose1d(x: Tensor, w: Tensor, options: TransposedForwardOptions = {}): Tensor {
    return this.one(transposedForwardCall(1, x, w, options));
  }

  /**
   * 2D transposed convolution: every x spreads over `w * x`, `stride` apart; the adjoint of a convolution.
   *
   * @param x input `[N, in, H, W]`; without N for one sample, N may be 0
   * @param w weight `[in, out / groups, kh, kw]`, or as `options.weightLayout` says ("IOHW" and its like)
   * @returns `[N, out, OH, OW]`, or without N as x, with
   *   `OH = (H - 1) * S - padTop - padBottom + D * (kh - 1) + 1 + outputPadding`; `H * S` with padding "same"
   */
  convTranspose2d(x: Tensor, w: Tensor, options: TransposedForwardOptions = {}): Tensor {
    return this.one(transposedForwardCall(2, x, w, options));
  }

  /** {@link convTranspose2d} over three spatial axes: x `[N, in, D, H, W]`, w `[in, out / groups, kd, kh, kw]`. */
  convTranspose3d(x: Tensor, w: Tensor, options: TransposedForwardOptions = {}): Tensor {
    return this.one(transposedForwardCall(3, x, w, options));
  }

  /** Gradient of {@link convTranspose1d} with respect to its input, as {@link convTranspose2dInputGradient}. */
  convTranspose1dInputGradient(
    dy: Tensor,
    w: Tensor,
    inputShape: NumberList,
    options: TransposedGradientOptions = {},
  ): Tensor {
    return this.#inputGradient(1, dy, w, inputShape, options);
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
    return this.#inputGradient(2, dy, w, inputShape, options);
  }

  /** Gradient of {@link convTranspose3d} with respect to its input, as {@link convTranspose2dInputGradient}. */
  convTranspose3dInputGradient(
    dy: Tensor,
    w: Tensor,
    inputShape: NumberList,
    options: TransposedGradientOptions = {},
  ): Tensor {
    return this.#inputGradient(3, dy, w, inputShape, options);
  }

  /** Gradient of {@link convTranspose1d} with respect to its weight, as {@link convTranspose2dWeightGradient}. */
  convTranspose1dWeightGradient(
    dy: Tensor,
    x: Tensor,
    weightShape: NumberList,
    options: TransposedGradientOptions = {},
  ): Tensor {
    return this.#weightGradient(1, dy, x, weightShape, options);
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
    return this.#weightGradient(2, dy, x, weightShape, options);
  }

  /** Gradient of {@link convTranspose3d} with respect to its weight, as {@link convTranspose2dWeightGradient}. */
  convTranspose3dWeightGradient(
    dy: Tensor,
    x: Tensor,
    weightShape: NumberList,
    options: TransposedGradientOptions = {},
  ): Tensor {
    return this.#weightGradient(3, dy, x, weightShape, options);
  }

  #inputGradient(
    rank: Rank,
    dy: Tensor,
    w: Tensor,
    inputShape: NumberList,
    options: TransposedGradientOptions,
  ): Tensor {
    requireTensor("w", w);
    requireOptions(options, TRANSPOSED_GRADIENT_OPTIONS);
    const problem = makeTransposedProblem(rank, inputShape, w.shape, options);
    return this.withGradient(
      dy,
      problem.inputShape,
      { ...options, mayFuse: false, batched: problem.batched },
      ({ y }) => {
        return this.one(transposedGradientCall("forward", problem, { x: y, w }, options));
      },
    );
  }

  #weightGradient(
    rank: Rank,
    dy: Tensor,
    x: Tensor,
    weightShape: NumberList,
    options: TransposedGradientOptions,
  ): Tensor {
    requireTensor("x", x);
    requireOptions(options, TRANSPOSED_GRADIENT_OPTIONS);
    const problem = makeTransposedProblem(rank, x.shape, weightShape, options);
    return this.withGradient(
      dy,
      problem.inputShape,
      { ...options, mayFuse: false, batched: problem.batched },
      ({ y }) => {
        return this.one(transposedGradientCall("weightGradient", problem, { y: x, x: y }, options));
      },
    );
  }
}
