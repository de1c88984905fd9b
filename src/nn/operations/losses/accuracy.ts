/** How often a network is right, counted on the device. */
import { require } from "../../../base/errors.js";
import { optionKeys, requireOptions } from "../../../base/optionKeys.js";
import { readLayout } from "../../../problem/layout.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { runOperation, showShape, specOf } from "../../core/operation.js";
import { rowsAlong } from "../../core/rows.js";
import { classAxis, type LabelOptions, readIgnoreIndex, rowShape } from "./classification.js";
import { countCorrectOperation } from "./countCorrect.js";

const OPTIONS = optionKeys<LabelOptions>({ layout: 1, ignoreIndex: 1 }, { string: "layout", number: "ignoreIndex" });

/**
 * How many rows have their largest logit at their label: a number of rows, to be divided by how many there are. Of equal logits the
 * first is the largest, and NaN is larger than all. A label that is ignored, or no class, is never right. It has no gradient.
 *
 * @param logits as `crossEntropy`'s
 * @param labels one for each row
 * @returns `[1]`, float32: exact up to 2^24 rows
 * @throws ArgumentError where shapes or options do not fit.
 */
export function accuracy(logits: Tensor, labels: Tensor, options: LabelOptions = {}): Tensor {
  requireOptions(options, OPTIONS);
  const specs = { logits: specOf(logits, "logits"), labels: specOf(labels, "labels") };
  const perRow = rowShape(logits, options);
  require(showShape(labels.shape) === showShape(perRow), () => {
    return `labels has shape ${showShape(labels.shape)}; expected ${showShape(perRow)}, one for each row of logits of shape ${showShape(logits.shape)}`;
  });
  const along = rowsAlong(logits.shape, classAxis(logits, readLayout(options.layout)));
  const operation = countCorrectOperation(specs, along, readIgnoreIndex(options.ignoreIndex));
  const [right, counted] = runOperation(operation, { logits, labels });
  counted.dispose();
  return right;
}
