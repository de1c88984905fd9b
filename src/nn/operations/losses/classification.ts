/** Losses of classes: cross-entropy of logits with labels or distributions. */
import { require, show } from "../../../base/errors.js";
import { listOf, type NumberList } from "../../../base/list.js";
import { optionKeys, requireOptions } from "../../../base/optionKeys.js";
import { requireWord } from "../../../base/spelling.js";
import { type Layout, readLayout } from "../../../problem/layout.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { contextOf, requireDType, runOne, runOperation, showShape, specOf } from "../../core/operation.js";
import { rowsAlong } from "../../core/rows.js";
import { recordStep } from "../../tape/step.js";
import { type CrossEntropy, type LossReduction, REDUCTIONS } from "./classRows.js";
import { crossEntropyGradient } from "./crossEntropyGradient.js";
import { crossEntropyOperation } from "./crossEntropy.js";

/** Where classes are, and which rows do not count. */
export interface LabelOptions {
  /** Where the logits' classes are: axis 1 ("channels-first", when absent), or the last axis. */
  readonly layout?: Layout;
  /** Rows with this label do not count; -100 when absent. Of labels alone. */
  readonly ignoreIndex?: number;
}

export interface CrossEntropyOptions extends LabelOptions {
  /** "mean" when absent: the sum, divided by the weights of the labels that count, or by the number of distributions. */
  readonly reduction?: LossReduction;
  /** The part of each target that is spread evenly over all classes, from 0 to 1; 0 when absent. */
  readonly labelSmoothing?: number;
  /** A weight for each class, `[C]`; 1 when absent. Not consumed. */
  readonly weight?: Tensor;
}

const OPTIONS = optionKeys<CrossEntropyOptions>(
  { layout: 1, ignoreIndex: 1, reduction: 1, labelSmoothing: 1, weight: 1 },
  { string: "reduction", tensor: "weight", number: "labelSmoothing" },
);

/**
 * The cross-entropy of logits and targets, PyTorch's `cross_entropy`, with the softmax inside:
 * `-sum over c of target[c] * log_softmax(logits)[c]`, of each row along the axis of classes.
 *
 * A label that is no class (and is not ignored) makes the loss NaN, and its gradients: nothing stalls to look for one. `checkLabels`
 * finds it on the host.
 *
 * @param logits `[N, C]` or, a row a pixel, `[N, C, ...positions]`; channels-last `[N, ...positions, C]`
 * @param target labels from 0 to C - 1, float32 (or float16) integers, `[N]` or `[N, ...positions]`; or distributions, shaped and typed
 *   as the logits. No gradient flows to it.
 * @returns `[1]`, or with reduction "none" a loss for each row, `[N, ...positions]`; float32 whatever the logits are
 * @throws ArgumentError where shapes or options do not fit.
 */
export function crossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const parts = readCrossEntropy(logits, target, options);
  const { weight } = options;
  const operands = { logits, target, ...(weight && { weight }) };
  const [flat, ...counts] = runOperation(crossEntropyOperation(parts), operands);
  const shape = parts.reduction === "none" ? rowShape(logits, options) : [1];
  const loss = flat.shape.length === shape.length ? flat : contextOf(flat, "loss").view(flat, shape);
  if (loss !== flat) flat.dispose();
  const divisors = parts.reduction === "mean" ? counts : [];
  recordStep({
    name: "crossEntropy",
    inputs: [logits],
    outputs: [loss],
    saved: [...Object.values(operands), ...divisors],
    backward([dloss]) {
      if (!dloss) return [];
      const [count] = divisors;
      const given = { ...operands, dloss, ...(divisors.length > 0 && { count }) };
      return [runOne(crossEntropyGradient(parts), given)];
    },
  });
  for (const count of counts) count.dispose();
  return loss;
}

/**
 * Throws unless labels are classes: integers from 0 to `classes` - 1, or the ignored one. For values on the host, before they are a
 * tensor: on the device nothing waits for such a check.
 *
 * @param ignoreIndex -100 when absent
 * @throws ArgumentError with the first wrong label and its index, and for a tensor.
 */
export function checkLabels(labels: NumberList, classes: number, ignoreIndex = -100): void {
  require(listOf(labels) !== undefined, () => {
    return `labels is ${show(labels)}; expected numbers on the host, a Float32Array say: await tensor.data()`;
  });
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    const isLabel = label === ignoreIndex || (Number.isInteger(label) && label >= 0 && label < classes);
    require(isLabel, () => {
      return `label ${String(i)} is ${show(label)}; expected an integer from 0 to ${String(classes - 1)}, for ${String(classes)} classes, or ${String(ignoreIndex)}, which is ignored`;
    });
  }
}

/** The axis of classes. Throws for a tensor without one. */
export function classAxis(logits: Tensor, layout: Layout): number {
  const { shape } = specOf(logits, "logits");
  require(shape.length >= 2, () => {
    return `logits has shape ${showShape(shape)}; expected [N, C], or [N, C, ...positions]`;
  });
  return layout === "channels-last" ? shape.length - 1 : 1;
}

/** The shape of what there is one of for each row. */
export const rowShape = (logits: Tensor, { layout }: LabelOptions): number[] =>
  logits.shape.filter((_, axis) => axis !== classAxis(logits, readLayout(layout)));

/** @throws ArgumentError for what is no index to ignore. */
export function readIgnoreIndex(ignoreIndex = -100): number {
  require(Number.isInteger(ignoreIndex) && Math.fround(ignoreIndex) === ignoreIndex, () => {
    return `ignoreIndex is ${show(ignoreIndex)}; expected an integer that float32 has`;
  });
  return ignoreIndex;
}

function readCrossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions): CrossEntropy {
  requireOptions(options, OPTIONS);
  const spec = specOf(logits, "logits");
  const targetSpec = specOf(target, "target");
  const axis = classAxis(logits, readLayout(options.layout));
  const perRow = rowShape(logits, options);
  const isDistribution = showShape(target.shape) === showShape(logits.shape);
  require(isDistribution || showShape(target.shape) === showShape(perRow), () => {
    return `target has shape ${showShape(target.shape)}; expected labels of shape ${showShape(perRow)} or distributions of shape ${showShape(logits.shape)}, that of logits`;
  });
  if (isDistribution) requireDType("target", target, spec.dtype, "logits");
  const { reduction = "mean", labelSmoothing = 0, weight } = options;
  requireWord("reduction", reduction, REDUCTIONS);
  require(labelSmoothing >= 0 && labelSmoothing <= 1, () => {
    return `labelSmoothing is ${show(labelSmoothing)}; expected a number from 0 to 1`;
  });
  const classes = spec.shape[axis];
  require(weight === undefined || showShape(specOf(weight, "weight").shape) === `[${String(classes)}]`, () => {
    return `weight has shape ${showShape(weight?.shape ?? [])}; expected [${String(classes)}], one value a class`;
  });
  return {
    logits: spec,
    target: targetSpec,
    weight: weight && specOf(weight, "weight"),
    rows: rowsAlong(spec.shape, axis),
    isDistribution,
    reduction,
    ignoreIndex: readIgnoreIndex(options.ignoreIndex),
    labelSmoothing,
  };
}
