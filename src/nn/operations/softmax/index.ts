/** Softmax along an axis, and its logarithm. */
import type { Tensor } from "../../../tensor/tensor.js";
import { readAxis } from "../../core/axes.js";
import { runOne, specOf } from "../../core/operation.js";
import { recordStep } from "../../tape/step.js";
import { softmaxGradient } from "./softmaxGradient.js";
import { softmaxOperation } from "./softmax.js";

/**
 * `exp(x) / sum of exp(x)` along an axis, with the largest x subtracted first. NaN where the distribution is not defined: of a NaN or
 * an infinity, or of -infinity alone.
 *
 * @param axis 1 when absent; negative ones count from the end
 */
export const softmax = (x: Tensor, axis = 1): Tensor => distribution(x, axis, false);

/** The logarithm of {@link softmax}, without computing that. */
export const logSoftmax = (x: Tensor, axis = 1): Tensor => distribution(x, axis, true);

function distribution(x: Tensor, axis: number, isLog: boolean): Tensor {
  const spec = specOf(x, "x");
  const along = readAxis(axis, spec.shape.length);
  const y = runOne(softmaxOperation(spec, along, isLog), { x });
  recordStep({
    name: isLog ? "logSoftmax" : "softmax",
    inputs: [x],
    outputs: [y],
    saved: [y],
    backward: ([dy]) => (dy ? [runOne(softmaxGradient(spec, along, isLog), { y, dy })] : []),
  });
  return y;
}
