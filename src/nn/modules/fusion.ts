/** What layers do in one pass with their neighbours: what follows is done where results are written. */
import type { Activation } from "../../calls/options.js";
import type { Layout } from "../../problem/layout.js";
import type { Rank } from "../../problem/problem.js";
import type { Tensor } from "../../tensor/tensor.js";

/** An activation without parameters that are learned. */
export type PlainActivation = Exclude<Activation<never>, { readonly name: "prelu" }>;

/** What is done to a layer's result: `activation(result + residual)`. */
export interface Tail {
  readonly residual?: Tensor;
  readonly activation?: PlainActivation;
}

export interface Weights {
  readonly weight: Tensor;
  readonly bias?: Tensor;
}

/** A convolution as a norm behind it sees it. */
export interface ConvolutionParts extends Weights {
  readonly rank: Rank;
  readonly outChannels: number;
  readonly layout: Layout;
  /** The groups of a transposed convolution; undefined of others. */
  readonly transposed: number | undefined;
  /** Runs it with other weights. */
  readonly runWith: (x: Tensor, weights: Weights, tail: Tail) => Tensor;
}

/** What a layer can be part of. `Layer` is a module. */
export interface Fusion<Layer> {
  /** Of a layer that is an activation and nothing else. */
  readonly isActivation?: PlainActivation;
  /** Runs it with a tail; absent where its own pass ends with an activation. */
  readonly run?: ((x: Tensor, tail: Tail, self: Layer) => Tensor) | undefined;
  /** Of a convolution; absent where it has an activation. */
  readonly convolution?: ConvolutionParts | undefined;
  /** Of a norm: runs it behind a convolutional layer. A tail is not given where {@link run} is absent. */
  readonly runBehind?: (layer: Layer, x: Tensor, tail: Tail, self: Layer) => Tensor;
}
