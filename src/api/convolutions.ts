/** The convolution methods of an engine, for every rank, in terms of running one call. */
import { Activations } from "./activations.js";
import {
  biasProblem,
  forwardCall,
  gradientCall,
  type MakeProblem,
  requireTensor,
  weightAndBiasGradientCall,
} from "../calls/calls.js";
import type { NumberList } from "../base/list.js";
import { requireOptions } from "../base/optionKeys.js";
import {
  type BackwardOptions,
  type ForwardOptions,
  GRADIENT_OPTIONS,
  type GradientOptions,
  readBackwardSolvers,
  TRANSPOSED_GRADIENT_OPTIONS,
} from "../calls/options.js";
import type { TransposedSize } from "../problem/options.js";
import { makeProblem, type Rank } from "../problem/problem.js";
import type { Tensor } from "../tensor/tensor.js";
import { DISPOSE } from "../base/dispose.js";

const isPrelu = (activation: GradientOptions["activation"]): boolean =>
  typeof activation === "object" && activation.name === "prelu";

/** Options of the layer, transposed or not, whose bias it is. */
type BiasGradientOptions = GradientOptions & TransposedSize;

/** All gradients of a layer. Each tensor is the caller's to dispose of: one by one, or all of them at once. */
export class ConvGradients implements Disposable {
  readonly input: Tensor;
  readonly weight: Tensor;
  readonly bias: Tensor;
  /** Of a prelu's slopes; absent where the layer has none. */
  declare readonly slope?: Tensor;

  constructor(input: Tensor, weight: Tensor, bias: Tensor, slope?: Tensor) {
    this.input = input;
    this.weight = weight;
    this.bias = bias;
    if (slope) this.slope = slope;
  }

  /** Disposes of all of them. Twice is harmless. */
  dispose(): void {
    for (const tensor of [this.input, this.weight, this.bias, this.slope]) tensor?.dispose();
  }

  [DISPOSE](): void {
    this.dispose();
  }
}

/**
 * Convolutions and their gradients. Names and meanings are PyTorch's; every result is the caller's to dispose of.
 * Errors (ArgumentError, TensorError, LimitError, SolverError) name the rule and the values, and come from the call.
 */
export abstract class Convolutions extends Activations {
  /** {@link conv2d} over one spatial axis: x `[N, C, W]`, w `[out, C / groups, kw]`. */
  conv1d(x: Tensor, w: Tensor, options: ForwardOptions = {}): Tensor {
    return this.one(forwardCall(1, x, w, options));
  }

  /**
   * 2D convolution (cross-correlation, as everywhere in deep learning):
   * `y[n, o, i, j] = activation(residual + bias[o] + sum over c, k, l of w[o, c, k, l] * x[n, c, i * S + k * D - P, j * S + l * D - P])`.
   *
   * @param x input `[N, C, H, W]`, or as `options.layout` says; without N for one sample, N may be 0
   * @param w weight `[out, C / groups, kh, kw]`, or as `options.weightLayout` says
   * @returns `[N, out, OH, OW]`, or without N as x, with `OH = floor((H + padTop + padBottom - D * (kh - 1) - 1) / S) + 1`
   */
  conv2d(x: Tensor, w: Tensor, options: ForwardOptions = {}): Tensor {
    return this.one(forwardCall(2, x, w, options));
  }

  /** {@link conv2d} over three spatial axes: x `[N, C, D, H, W]`, w `[out, C / groups, kd, kh, kw]`. */
  conv3d(x: Tensor, w: Tensor, options: ForwardOptions = {}): Tensor {
    return this.one(forwardCall(3, x, w, options));
  }

  /** Gradient of {@link conv1d} with respect to its input, as {@link conv2dInputGradient}. */
  conv1dInputGradient(dy: Tensor, w: Tensor, inputShape: NumberList, options: GradientOptions = {}): Tensor {
    return this.inputGradient(1, dy, w, inputShape, options);
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
    return this.inputGradient(2, dy, w, inputShape, options);
  }

  /** Gradient of {@link conv3d} with respect to its input, as {@link conv2dInputGradient}. */
  conv3dInputGradient(dy: Tensor, w: Tensor, inputShape: NumberList, options: GradientOptions = {}): Tensor {
    return this.inputGradient(3, dy, w, inputShape, options);
  }

  /** Gradient of {@link conv1d} with respect to its weight, as {@link conv2dWeightGradient}. */
  conv1dWeightGradient(dy: Tensor, x: Tensor, weightShape: NumberList, options: GradientOptions = {}): Tensor {
    return this.weightGradient(1, dy, x, weightShape, options);
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
    return this.weightGradient(2, dy, x, weightShape, options);
  }

  /** Gradient of {@link conv3d} with respect to its weight, as {@link conv2dWeightGradient}. */
  conv3dWeightGradient(dy: Tensor, x: Tensor, weightShape: NumberList, options: GradientOptions = {}): Tensor {
    return this.weightGradient(3, dy, x, weightShape, options);
  }

  /** Gradient of {@link conv1d} with respect to its bias, as {@link conv2dBiasGradient}. */
  conv1dBiasGradient(dy: Tensor, options: BiasGradientOptions = {}): Tensor {
    return this.#biasGradient(1, dy, options);
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
    return this.#biasGradient(2, dy, options);
  }

  /** Gradient of {@link conv3d} with respect to its bias, as {@link conv2dBiasGradient}. */
  conv3dBiasGradient(dy: Tensor, options: BiasGradientOptions = {}): Tensor {
    return this.#biasGradient(3, dy, options);
  }

  /** All three gradients of {@link conv1d}, as {@link conv2dBackward}. */
  conv1dBackward(dy: Tensor, x: Tensor, w: Tensor, options: BackwardOptions = {}): ConvGradients {
    return this.#backward(1, dy, x, w, options);
  }

  /**
   * All three gradients of {@link conv2d}, and that of a prelu's slopes. The bias gradient is computed inside the weight gradient's kernel, so this
   * takes one pass over dy less than the three calls.
   *
   * @param dy gradient of the output, `[N, out, OH, OW]`
   * @param x input `[N, C, H, W]`
   * @param w weight `[out, C / groups, kh, kw]`
   * @param options as of one gradient; `solver` names one for both kernels, or `{ input, weight }` one for each
   */
  conv2dBackward(dy: Tensor, x: Tensor, w: Tensor, options: BackwardOptions = {}): ConvGradients {
    return this.#backward(2, dy, x, w, options);
  }

  /** All three gradients of {@link conv3d}, as {@link conv2dBackward}. */
  conv3dBackward(dy: Tensor, x: Tensor, w: Tensor, options: BackwardOptions = {}): ConvGradients {
    return this.#backward(3, dy, x, w, options);
  }

  protected inputGradient(
    rank: Rank,
    dy: Tensor,
    w: Tensor,
    inputShape: NumberList,
    options: GradientOptions,
    make: MakeProblem = makeProblem,
  ): Tensor {
    requireTensor("w", w);
    requireOptions(options, GRADIENT_OPTIONS);
    const problem = make(rank, inputShape, w.shape, options);
    return this.withGradient(
      dy,
      problem.outputShape,
      { ...options, mayFuse: true, batched: problem.batched },
      (operands) => {
        return this.one(gradientCall("inputGradient", problem, { ...operands, w }, options));
      },
    );
  }

  protected weightGradient(
    rank: Rank,
    dy: Tensor,
    x: Tensor,
    weightShape: NumberList,
    options: GradientOptions,
    make: MakeProblem = makeProblem,
  ): Tensor {
    requireTensor("x", x);
    requireOptions(options, GRADIENT_OPTIONS);
    const problem = make(rank, x.shape, weightShape, options);
    return this.withGradient(
      dy,
      problem.outputShape,
      { ...options, mayFuse: true, batched: problem.batched },
      (operands) => {
        return this.one(gradientCall("weightGradient", problem, { ...operands, x }, options));
      },
    );
  }

  #biasGradient(rank: Rank, dy: Tensor, options: BiasGradientOptions): Tensor {
    requireTensor("dy", dy);
    requireOptions(options, TRANSPOSED_GRADIENT_OPTIONS);
    const problem = biasProblem(rank, dy.shape, options);
    return this.withGradient(dy, dy.shape, { ...options, mayFuse: true, batched: problem.batched }, (operands) => {
      return this.one(gradientCall("biasGradient", problem, operands, options));
    });
  }

  #backward(rank: Rank, dy: Tensor, x: Tensor, w: Tensor, options: BackwardOptions): ConvGradients {
    requireTensor("x", x);
    requireTensor("w", w);
    requireOptions(options, GRADIENT_OPTIONS);
    const { solver, ...shared } = options;
    const solvers = readBackwardSolvers(solver);
    const problem = makeProblem(rank, x.shape, w.shape, shared);
    return this.withGradient(
      dy,
      problem.outputShape,
      { ...shared, mayFuse: true, batched: problem.batched },
      (operands) => {
        const input = this.one(gradientCall("inputGradient", problem, { ...operands, w }, { solver: solvers.input }));
        try {
          const options = { solver: solvers.weight };
          const [weight, bias] = this.run(weightAndBiasGradientCall(problem, { ...operands, x }, options));
          const slope = isPrelu(shared.activation)
            ? this.slopeGradientOf(dy, problem.outputShape, shared, problem.batched)
            : undefined;
          return new ConvGradients(input, weight, bias, slope);
        } catch (error) {
          input.dispose();
          throw error;
        }
      },
    );
  }
}
