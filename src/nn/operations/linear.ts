/** Linear layers: 1x1 convolutions, so that tiles, tuning and gradients are the engine's own. */
import { require } from "../../base/errors.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { makeCall, plainOperation, runOne } from "../../calls/calls.js";
import { FORWARD_NAMES, readEpilogue } from "../../calls/epilogue.js";
import type { Activation } from "../../calls/options.js";
import type { SolverChoice } from "../../planning/choice.js";
import { product } from "../../problem/geometry.js";
import { type ConvProblem, makeProblem } from "../../problem/problem.js";
import type { Tensor } from "../../tensor/tensor.js";
import { contextOf, requireDType, showShape, specOf } from "../core/operation.js";

export interface LinearOptions {
  /** One value an output, shape `[out]`. Not consumed. */
  readonly bias?: Tensor;
  /** Added before the activation, shaped as the result. Not consumed. */
  readonly residual?: Tensor;
  /** Applied last; "none" when absent. A prelu has a slope, or one an output. */
  readonly activation?: Activation;
  /** The solver to use. When absent the engine chooses. */
  readonly solver?: SolverChoice;
}

const LINEAR_OPTIONS = optionKeys<LinearOptions>(
  { bias: 1, residual: 1, activation: 1, solver: 1 },
  { tensor: "bias", string: "activation" },
);

/**
 * A linear layer, PyTorch's `linear`: `activation(x weight^T + bias + residual)`, a product of matrices.
 *
 * @param x `[..., in]`: each vector along its last axis is one row of the product
 * @param weight `[out, in]`
 * @returns `[..., out]`
 * @throws ArgumentError where shapes or types do not fit.
 */
export function linear(x: Tensor, weight: Tensor, options: LinearOptions = {}): Tensor {
  const [{ shape }, { shape: outAndIn }] = [specOf(x, "x"), specOf(weight, "weight")];
  requireOptions(options, LINEAR_OPTIONS);
  const inputs = shape[shape.length - 1];
  require(outAndIn.length === 2 && outAndIn[1] === inputs, () => {
    return `weight has shape ${showShape(outAndIn)}; expected [out, ${String(inputs)}], for x of shape ${showShape(shape)}: [out, in] for [..., in]`;
  });
  requireDType("weight", weight, specOf(x, "x").dtype, "x");
  const result = [...shape.slice(0, -1), outAndIn[0]];
  const { operands, fused } = readEpilogue(result, outAndIn[0], options);
  const operation = { ...plainOperation("forward", productOf(shape, outAndIn), specOf(x, "x")), ...fused };
  const call = makeCall(operation, { x, w: weight, ...operands }, { ...FORWARD_NAMES, w: "weight" }, options);
  const context = contextOf(x, "x");
  return runOne((one, shapes) => context.run(one, shapes), call, result);
}

/**
 * The rows as positions of one channels-last sample. As samples of one position, what reads and writes them would lie `in` apart:
 * on GPUs, plans of the gradients would then take a dispatch or two more, to lay out what this form has side by side.
 */
function productOf(shape: readonly number[], [outputs, inputs]: readonly number[]): ConvProblem {
  const rows = product(shape.slice(0, -1));
  const weight = [outputs, inputs, 1];
  return rows === 0
    ? makeProblem(1, [0, 1, inputs], weight, { layout: "channels-last" })
    : makeProblem(1, [rows, inputs], weight, { layout: "channels-last" });
}
