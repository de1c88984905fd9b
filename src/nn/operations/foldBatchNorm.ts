/** Batch norm folded into the convolution before it, for evaluation. */
import { ArgumentError, require, show } from "../../base/errors.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import {
  readWeightOrder,
  transposedWeightLayout,
  type TransposedWeightLayout,
  type WeightLayout,
} from "../../problem/layout.js";
import type { Tensor } from "../../tensor/tensor.js";
import { requireDType, runOperation, showShape, specOf } from "../core/operation.js";
import { recordStep } from "../tape/step.js";
import type { BatchNormOptions } from "./batchNorm.js";
import { channelsOf, foldNormOperation } from "./norm/foldNorm.js";
import { requireParameter, requirePositive } from "./norm/runNorm.js";

/** Parameters and statistics of the batch norm, as {@link batchNorm} takes them. */
export interface FoldedNorm extends Pick<BatchNormOptions, "weight" | "bias" | "eps"> {
  readonly runningMean: Tensor;
  readonly runningVar: Tensor;
}

export interface FoldOptions {
  /** The convolution's bias, one value an out channel, of the weight's type; 0 when absent. */
  readonly bias?: Tensor | undefined;
  /** Whether the convolution is a transposed one, whose weight is `[in, out / groups, ...]`. False when absent. */
  readonly transposed?: boolean;
  /** The groups of a transposed convolution. 1 when absent; for others they change nothing. */
  readonly groups?: number;
  /** The weight's dimension order, as the convolution takes it. */
  readonly weightLayout?: WeightLayout | TransposedWeightLayout;
}

const NORM = optionKeys<FoldedNorm>({ weight: 1, bias: 1, eps: 1, runningMean: 1, runningVar: 1 });
const OPTIONS = optionKeys<FoldOptions>({ bias: 1, transposed: 1, groups: 1, weightLayout: 1 }, { tensor: "bias" });

/**
 * Weight and bias of a convolution that does what the convolution and a batch norm by running statistics do one after the other:
 * `weight * factor` and `(bias - runningMean) * factor + norm.bias` for `factor = norm.weight / sqrt(runningVar + eps)` of each out channel
 * (Jacob et al., 2018, as PyTorch's `fuse_conv_bn_weights`). It has no gradients.
 *
 * @param weight of the convolution: `[out, in / groups, ...]`, or as `transposed` and `weightLayout` say; float32 or float16
 * @returns new tensors, of the weight's type, the caller's to dispose of
 */
export function foldBatchNorm(
  weight: Tensor,
  norm: FoldedNorm,
  options: FoldOptions = {},
): { readonly weight: Tensor; readonly bias: Tensor } {
  requireOptions(norm, NORM, "norm");
  requireOptions(options, OPTIONS);
  const { weight: gamma, bias: beta, eps = 1e-5, runningMean, runningVar } = norm;
  const { bias, transposed = false, groups = 1, weightLayout } = options;
  const spec = specOf(weight, "weight");
  const rank = spec.shape.length - 2;
  require(rank >= 1 && rank <= 3, () => {
    return `weight has shape ${showShape(spec.shape)}; expected two axes of channels, and one to three of space`;
  });
  requirePositive("eps", eps);
  require(typeof transposed === "boolean", () => `transposed is ${show(transposed)}; expected true or false`);
  const order = transposed ? transposedWeightLayout(weightLayout, rank).order : readWeightOrder(weightLayout, rank);
  const shape = { weight: spec, order, transposed: transposed ? groups : undefined };
  const { out, inputs } = channelsOf(shape);
  require(Number.isSafeInteger(groups) && groups >= 1 && (!transposed || inputs % groups === 0), () => {
    return `groups is ${show(groups)}; expected a divisor of the ${String(inputs)} in channels of weight, of shape ${showShape(spec.shape)}`;
  });
  const channels = [out];
  const given: Readonly<Record<string, Tensor>> = {
    runningMean,
    runningVar,
    ...(gamma && { weight: gamma }),
    ...(beta && { bias: beta }),
  };
  for (const [name, tensor] of Object.entries(given)) requireParameter(`norm.${name}`, tensor, channels);
  if (bias !== undefined) {
    specOf(bias, "bias");
    require(bias.shape.length === 1 && bias.shape[0] === channels[0], () => {
      return `bias has shape ${showShape(bias.shape)}; expected ${showShape(channels)}, one value an out channel`;
    });
    requireDType("bias", bias, spec.dtype, "weight");
  }
  const parts = { bias: bias !== undefined, gamma: gamma !== undefined, beta: beta !== undefined };
  const operands = {
    weight,
    ...(bias && { bias }),
    ...(gamma && { gamma }),
    ...(beta && { beta }),
    runningMean,
    runningVar,
  };
  const [folded, foldedBias] = runOperation(foldNormOperation({ ...shape, eps, parts }), operands);
  recordStep({
    name: "foldBatchNorm",
    inputs: Object.values(operands),
    outputs: [folded, foldedBias],
    saved: [],
    backward() {
      throw new ArgumentError("a gradient was asked for through foldBatchNorm, which has none; expected batchNorm");
    },
  });
  return { weight: folded, bias: foldedBias };
}
