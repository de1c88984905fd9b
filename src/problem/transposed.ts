/**
 * Transposed convolution (PyTorch's ConvTranspose) as the convolution whose input gradient it is: its x has the shape
 * of that convolution's output, its result the shape of that convolution's input, and the weight is the same.
 */
import { require, show } from "../base/errors.js";
import { dilatedExtent, sameTotalPadding } from "./geometry.js";
import {
  readLayout,
  splitWeight,
  transposedOrderName,
  transposedWeightLayout,
  weightDimensions,
  type WeightOrder,
} from "./layout.js";
import { layoutHint, type Mismatch } from "./layoutHints.js";
import type { NumberList } from "../base/list.js";
import type { Hyperparameters } from "./options.js";
import { type PaddedAxis, readPadding, readPerAxis, type TransposedSize } from "./options.js";
import { type ConvProblem, makeProblem, type Rank, readGroups } from "./problem.js";
import { activationShape, readActivationShape, readShape } from "./shapes.js";

/**
 * The convolution of which this is the input gradient.
 *
 * @param inputShape of the transposed convolution's x, `[N, in, ...spatial]`; without N for one sample
 * @param givenWeightShape `[in, out / groups, ...kernel]`, or as `options.weightLayout` says ("IOHW" and its like)
 * @throws ArgumentError naming the rule and the values.
 */
export function makeTransposedProblem(
  rank: Rank,
  inputShape: NumberList,
  givenWeightShape: NumberList,
  options: Hyperparameters & TransposedSize,
): ConvProblem {
  const layout = readLayout(options.layout);
  const { order, weightLayout } = transposedWeightLayout(options.weightLayout, rank);
  require(options.paddingMode === undefined || options.paddingMode === "zeros", () => {
    return `paddingMode is ${show(options.paddingMode)}; a transposed convolution takes only "zeros"`;
  });
  const x = readActivationShape("input", inputShape, rank, layout);
  const dimensions = (): string => weightDimensions(order, rank, { out: "in", in: "out / groups" });
  const weightShape = readShape("weight", givenWeightShape, rank + 2, dimensions);
  const weight = splitWeight(weightShape, order);
  const groups = readGroups(options);
  require(x.channels === weight.out, () => {
    const fits: Mismatch["fits"] = (input, { out }) => input.channels === out && out % groups === 0;
    const nameOf = (other: WeightOrder): string => transposedOrderName(other, rank);
    const hint = layoutHint({ layout, order, input: x, weightShape, fits, nameOf });
    return `weight has ${String(weight.out)} input channels; expected the input's, ${String(x.channels)}${hint}`;
  });

  const strides = readPerAxis("stride", options.stride, rank, 1);
  const dilations = readPerAxis("dilation", options.dilation, rank, 1);
  const axes = x.spatial.map((input, axis) => {
    return { input, kernel: weight.spatial[axis], stride: strides[axis], dilation: dilations[axis] };
  });
  const { padding } = options;
  const isSame = padding === "same" || padding === "same-lower";
  const { spatial, pads } = isSame ? sameSize(axes, options) : paddedSize(axes, options);
  const outputShape = activationShape({ ...x, channels: weight.in * groups, spatial }, layout);
  return makeProblem(rank, outputShape, weightShape, {
    stride: strides,
    dilation: dilations,
    groups,
    padding: pads,
    layout,
    weightLayout,
  });
}

/** Spatial extents of the result, and the padding of the convolution behind it. */
interface TransposedExtents {
  readonly spatial: readonly number[];
  readonly pads: readonly [begin: number, end: number][];
}

/**
 * "same": the result has `input * stride` positions, or as many as `outputSize` says, if a convolution with the same padding
 * takes so many to the input's. The padding of that convolution is cut off, `max(0, (input - 1) * stride + dilation *
 * (kernel - 1) + 1 - output)` in all, as in TensorFlow and Keras. Positions that no filter reaches are zeros.
 */
function sameSize(axes: readonly PaddedAxis[], options: Hyperparameters & TransposedSize): TransposedExtents {
  const { padding, outputPadding, outputSize } = options;
  const rank = axes.length;
  require(readPerAxis("outputPadding", outputPadding, rank, 0).every((extra) => extra === 0), () => {
    return `outputPadding is ${show(outputPadding)}; padding ${show(padding)} makes the output input * stride: expected outputSize for another`;
  });
  const largest = axes.map(({ input, stride }) => input * stride);
  const spatial = outputSize === undefined ? largest : readPerAxis("outputSize", outputSize, rank, 1);
  requireWithin(
    spatial,
    axes.map(({ stride }, axis) => largest[axis] - stride + 1),
    largest,
  );
  const pads = axes.map(({ kernel, stride, dilation }, axis) => {
    return sameTotalPadding(spatial[axis], { kernel, stride, dilation }, padding === "same-lower");
  });
  return { spatial, pads };
}

/** Padding of a transposed convolution crops its result. `outputPadding` or `outputSize` say where the result ends. */
function paddedSize(axes: readonly PaddedAxis[], options: Hyperparameters & TransposedSize): TransposedExtents {
  const unbounded = axes.map((axis) => ({ ...axis, input: Number.MAX_SAFE_INTEGER }));
  const pads = readPadding(options.padding, unbounded);
  const smallest = axes.map(({ input, kernel, stride, dilation }, axis) => {
    const [begin, end] = pads[axis];
    return (input - 1) * stride + dilatedExtent(kernel, dilation) - begin - end;
  });
  const extra = readExtra(options, smallest, axes);
  const spatial = smallest.map((extent, axis) => extent + extra[axis]);
  require(spatial.every((extent) => extent >= 1), () => {
    return `the output would be empty: (input - 1) * stride + dilation * (kernel - 1) + 1 - padding + outputPadding = ${show(spatial)}`;
  });
  // An extra of a stride or more would fit one more window of the convolution, which is cropped. Where padding cuts off
  // everything, windows are before the result.
  const ends = pads.map(([begin, end], axis): [number, number] => {
    if (extra[axis] < axes[axis].stride) return [begin, end];
    const uncut = smallest[axis] + begin + end;
    const first = Math.min(begin, uncut);
    return [first, uncut - first - spatial[axis]];
  });
  return { spatial, pads: ends };
}

function readExtra(
  { outputPadding, outputSize }: TransposedSize,
  smallest: readonly number[],
  axes: readonly PaddedAxis[],
): number[] {
  const rank = smallest.length;
  require(outputPadding === undefined || outputSize === undefined, () => {
    return `outputPadding ${show(outputPadding)} and outputSize ${show(outputSize)} are both given; expected at most one`;
  });
  // As PyTorch has it.
  const limits = axes.map(({ stride, dilation }) => Math.max(stride, dilation));
  if (outputSize === undefined) {
    const extra = readPerAxis("outputPadding", outputPadding, rank, 0);
    require(extra.every((value, axis) => value < limits[axis]), () => {
      return `outputPadding is ${show(extra)}; expected less than the stride or the dilation, ${show(limits)}`;
    });
    return extra;
  }
  const sizes = readPerAxis("outputSize", outputSize, rank, 1);
  requireWithin(
    sizes,
    smallest,
    smallest.map((extent, axis) => extent + limits[axis] - 1),
  );
  return sizes.map((size, axis) => size - smallest[axis]);
}

function requireWithin(sizes: readonly number[], lowest: readonly number[], highest: readonly number[]): void {
  require(sizes.every((size, axis) => size >= lowest[axis] && size <= highest[axis]), () => {
    const ranges = lowest.map((low, axis) => `${String(low)} to ${String(highest[axis])}`);
    return `outputSize is ${show([...sizes])}; with these hyperparameters it can be ${ranges.join(" by ")}`;
  });
}
