/** Batch normalisation: each channel by its mean and variance over samples and positions. */
import { require, show } from "../../base/errors.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { readLayout } from "../../problem/layout.js";
import type { Tensor } from "../../tensor/tensor.js";
import { tapeOf } from "../tape/step.js";
import { showShape, specOf } from "../core/operation.js";
import { membersOf, normShape } from "./norm/normShape.js";
import { NORM_KEYS, type NormOptions, requireParameter, runNorm, type Running } from "./norm/runNorm.js";

export interface BatchNormOptions extends NormOptions {
  /** Running mean of each channel, float32. Without training it normalises; in training it is updated in place, if it is there. */
  readonly runningMean?: Tensor | undefined;
  /** Running variance, likewise. */
  readonly runningVar?: Tensor | undefined;
  /** Whether the batch's own statistics normalise. False when absent. */
  readonly training?: boolean;
  /** How much of the running statistics a batch replaces: 0.1 when absent. */
  readonly momentum?: number;
}

const KEYS = optionKeys<BatchNormOptions>({ ...NORM_KEYS, runningMean: 1, runningVar: 1, training: 1, momentum: 1 });

/**
 * `activation((x - mean) / sqrt(variance + eps) * weight + bias + residual)`, as PyTorch's `F.batch_norm` with what is fused into it
 * (Ioffe and Szegedy, 2015). In training the statistics are the batch's, of each channel over samples and positions, with the variance
 * of the values themselves; running statistics, where given, become `(1 - momentum) * running + momentum * batch` with the unbiased
 * variance, at each run of a compiled sequence, too. Otherwise the running ones normalise. Gradients: x, weight, bias, residual; in
 * training through the statistics, too.
 *
 * @param x `[N, C, ...]`, or `[N, ..., C]` for "channels-last"; float32 or float16
 * @returns a tensor like x
 * @throws ArgumentError for shapes that do not fit, and for training with one value a channel, or none.
 */
export function batchNorm(x: Tensor, options: BatchNormOptions = {}): Tensor {
  requireOptions(options, KEYS);
  const { training = false } = options;
  const layout = readLayout(options.layout);
  const { shape } = specOf(x, "x");
  require(typeof training === "boolean", () => `training is ${show(training)}; expected true or false`);
  require(shape.length >= 2, () => {
    return `x has shape ${showShape(shape)}; expected at least two axes: samples and channels`;
  });
  const view = normShape(shape, layout, "batch");
  const values = membersOf(view);
  require(!training || values > 1, () => {
    const rule = "expected more than 1 value per channel when training";
    return values === 0
      ? `x has shape ${showShape(shape)}, an empty batch, which has no statistics; ${rule}`
      : `x has shape ${showShape(shape)}; ${rule}, whose variance would be 0 of whatever value`;
  });
  return runNorm({
    name: "batchNorm",
    x,
    shape: view,
    parameterShape: [view.channels],
    options,
    running: runningOf(x, readRunning(options, training, view.channels)),
  });
}

/** What is computed once more, for a checkpoint's gradients, has updated its running statistics before. */
const runningOf = (x: Tensor, running: Running | undefined): Running | undefined =>
  running?.training === true && tapeOf(x)?.isRecomputing === true ? undefined : running;

function readRunning(options: BatchNormOptions, training: boolean, channels: number): Running | undefined {
  const { runningMean, runningVar, momentum = 0.1 } = options;
  require(Number.isFinite(momentum) && momentum >= 0 && momentum <= 1, () => {
    return `momentum is ${show(momentum)}; expected a number from 0 to 1`;
  });
  if (runningMean === undefined && runningVar === undefined && training) return undefined;
  require(runningMean !== undefined && runningVar !== undefined, () => {
    const missing = ["runningMean", "runningVar"].filter((name) => options[name as "runningMean"] === undefined);
    const rule = training ? "expected both or neither in training" : "expected both, or training: true";
    return `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} absent; ${rule}`;
  });
  requireParameter("runningMean", runningMean, [channels]);
  requireParameter("runningVar", runningVar, [channels]);
  require(runningMean !== runningVar, () => {
    return "runningMean and runningVar are the same tensor; expected one each, since both are updated";
  });
  return { runningMean, runningVar, training, momentum };
}
