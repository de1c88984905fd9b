/** Checkpoints: memory for time. */
import { require, show } from "../../base/errors.js";
import { requireTensor, type Tensor } from "../../tensor/tensor.js";
import { tapeOf } from "./step.js";

/**
 * Computes a segment of a network and, where a tape records, keeps only what goes into it and comes out: the rest is computed once
 * more when its gradients are (Chen et al., "Training deep nets with sublinear memory cost", 2016). Results have the same bits.
 * Running statistics are updated once, and dropout drops the same again.
 *
 * @param compute from these tensors, and from any others that live as long as the tape, such as parameters
 * @returns what `compute` returned
 */
export function checkpoint<Inputs extends readonly [Tensor, ...Tensor[]]>(
  compute: (...inputs: Inputs) => Tensor,
  ...inputs: Inputs
): Tensor {
  require(typeof compute === "function", () => `compute is ${show(compute)}; expected a function of tensors`);
  requireTensor("the first input", inputs[0]);
  const tape = tapeOf(inputs[0]);
  return tape ? tape.checkpoint(() => compute(...inputs)) : compute(...inputs);
}
