/** The locally connected methods of an engine: convolutions whose filters are not shared among output positions. */
import { forwardCall } from "../calls/calls.js";
import type { NumberList } from "../base/list.js";
import type { ForwardOptions, GradientOptions } from "../calls/options.js";
import { makeUnsharedProblem } from "../problem/problem.js";
import type { Tensor } from "../tensor/tensor.js";
import { TransposedConvolutions } from "./transposedConvolutions.js";

/** The weights are `outputPositions` times as many as a convolution's: it is there to show what sharing saves. */
export abstract class UnsharedConvolutions extends TransposedConvolutions {
  /**
   * A 2D locally connected layer: {@link conv2d} with its own filters at each output position.
   *
   * @param x input `[N, C, H, W]`, or as `options.layout` says
   * @param w weight `[OH, OW, out, C / groups, kh, kw]`
   * @returns as {@link conv2d}
   */
  locallyConnected2d(x: Tensor, w: Tensor, options: ForwardOptions = {}): Tensor {
    return this.one(forwardCall(2, x, w, options, makeUnsharedProblem));
  }

  /** Gradient of {@link locallyConnected2d} with respect to its input, as {@link conv2dInputGradient}. */
  locallyConnected2dInputGradient(
    dy: Tensor,
    w: Tensor,
    inputShape: NumberList,
    options: GradientOptions = {},
  ): Tensor {
    return this.inputGradient(2, dy, w, inputShape, options, makeUnsharedProblem);
  }

  /** Gradient of {@link locallyConnected2d} with respect to its weight, as {@link conv2dWeightGradient}. */
  locallyConnected2dWeightGradient(
    dy: Tensor,
    x: Tensor,
    weightShape: NumberList,
    options: GradientOptions = {},
  ): Tensor {
    return this.weightGradient(2, dy, x, weightShape, options, makeUnsharedProblem);
  }
}
