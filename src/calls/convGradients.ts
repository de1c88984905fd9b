/** The results of `conv2dBackward` and its like. */
import { DISPOSE } from "../base/dispose.js";
import type { Tensor } from "../tensor/tensor.js";

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
