/** The problem of a bias gradient, whose call has neither the layer's input nor its weight. */
import type { ConvOptions } from "./options.js";
import { require } from "../base/errors.js";
import { isTransposedOrder, readLayout, readWeightOrder } from "../problem/layout.js";
import { readPadding, readPerAxis, type TransposedSize } from "../problem/options.js";
import { readPaddingMode } from "../problem/padding.js";
import { type ConvProblem, makeProblem, type Rank, readGroups } from "../problem/problem.js";
import { activationShape, readActivationShape } from "../problem/shapes.js";

/** A pointwise problem whose output has this shape. The bias gradient depends on nothing else. */
export function biasProblem(
  rank: Rank,
  outputShape: readonly number[],
  options: ConvOptions & TransposedSize,
): ConvProblem {
  const layout = readLayout(options.layout);
  const { channels, ...rest } = readActivationShape("dy", outputShape, rank, layout);
  requireHyperparameters(rank, channels, options);
  const inputShape = activationShape({ ...rest, channels: 1 }, layout);
  return makeProblem(rank, inputShape, [channels, 1, ...rest.spatial.map(() => 1)], { layout });
}

/** Throws for hyperparameters that no layer has. They cannot be checked against the shapes of input and weight, unknown here. */
function requireHyperparameters(rank: Rank, outChannels: number, options: ConvOptions & TransposedSize): void {
  const { padding, weightLayout, outputSize } = options;
  const groups = readGroups(options);
  require(outChannels % groups === 0, () => {
    return `dy has ${String(outChannels)} channels; expected a multiple of groups = ${String(groups)}`;
  });
  const strides = readPerAxis("stride", options.stride, rank, 1);
  const dilations = readPerAxis("dilation", options.dilation, rank, 1);
  readPaddingMode(options.paddingMode);
  const axes = strides.map((stride, axis) => ({ input: LARGEST_EXTENT, kernel: 1, stride, dilation: dilations[axis] }));
  readPadding(padding, axes);
  readPerAxis("outputPadding", options.outputPadding, rank, 0);
  if (outputSize !== undefined) readPerAxis("outputSize", outputSize, rank, 1);
  if (!isTransposedOrder(weightLayout, rank)) readWeightOrder(weightLayout, rank);
}

/** An extent that any input stays within: padding may crop so much. */
const LARGEST_EXTENT = 2 ** 31 - 1;
