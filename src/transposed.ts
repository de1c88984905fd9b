/**
 * Transposed convolution (PyTorch's ConvTranspose) as the convolution whose input gradient it is: its x has the shape
 * of that convolution's output, its result the shape of that convolution's input, and the weight is the same.
 */
import { require, show } from "./errors.js";
import { dilatedExtent } from "./geometry.js";
import {
  activationDimensions,
  joinActivation,
  readLayout,
  splitActivation,
  splitWeight,
  transposedWeightLayout,
  weightDimensions,
} from "./layout.js";
import type { NumberList } from "./list.js";
import { type ConvOptions, readPadding, readPerAxis, type TransposedSize } from "./options.js";
import { type ConvProblem, makeProblem, type Rank, readShape } from "./problem.js";

/**
 * The convolution of which this is the input gradient.
 *
 * @param givenInputShape of the transposed convolution's x, `[N, in, ...spatial]`
 * @param givenWeightShape `[in, out / groups, ...kernel]`, or as `options.weightLayout` says ("IOHW" and its like)
 * @throws ArgumentError naming the rule and the values.
 */
export function makeTransposedProblem(
  rank: Rank,
  givenInputShape: NumberList,
  givenWeightShape: NumberList,
  options: ConvOptions & TransposedSize,
): ConvProblem {
  const layout = readLayout(options.layout);
  const { order, weightLayout } = transposedWeightLayout(options.weightLayout, rank);
  require(options.paddingMode === undefined || options.paddingMode === "zeros", () => {
    return `paddingMode is ${show(options.paddingMode)}; a transposed convolution takes only "zeros"`;
  });
  const inputShape = readShape("input", givenInputShape, rank + 2, activationDimensions(layout, rank));
  const dimensions = weightDimensions(order, rank, { out: "in", in: "out / groups" });
  const weightShape = readShape("weight", givenWeightShape, rank + 2, dimensions);
  const x = splitActivation(inputShape, layout);
  const weight = splitWeight(weightShape, order);
  require(x.channels === weight.out, () => {
    return `weight has ${String(weight.out)} input channels; expected the input's, ${String(x.channels)}`;
  });

  const strides = readPerAxis("stride", options.stride, rank, 1);
  const dilations = readPerAxis("dilation", options.dilation, rank, 1);
  const padding = transposedPadding(options, rank);
  const smallest = x.spatial.map((extent, axis) => {
    const [begin, end] = padding[axis];
    return (extent - 1) * strides[axis] + dilatedExtent(weight.spatial[axis], dilations[axis]) - begin - end;
  });
  const extra = readExtra(options, smallest, strides);
  const spatial = smallest.map((extent, axis) => extent + extra[axis]);
  require(spatial.every((extent) => extent >= 1), () => {
    return `the output would be empty: (input - 1) * stride + dilation * (kernel - 1) + 1 - padding + outputPadding = ${show(spatial)}`;
  });
  const { groups = 1 } = options;
  const outputShape = joinActivation({ batch: x.batch, channels: weight.in * groups, spatial }, layout);
  return makeProblem(rank, outputShape, weightShape, {
    stride: strides,
    dilation: dilations,
    groups,
    padding,
    layout,
    weightLayout,
  });
}

/** Padding of a transposed convolution crops its output; "same" would depend on the output, so it has no meaning here. */
function transposedPadding({ padding }: ConvOptions, rank: number): [number, number][] {
  require(padding !== "same" && padding !== "same-lower", () => {
    return `padding is ${show(padding)}; a transposed convolution takes numbers or "valid"`;
  });
  const unbounded = { input: Number.MAX_SAFE_INTEGER, kernel: 1, stride: 1, dilation: 1 };
  return readPadding(padding, new Array(rank).fill(unbounded));
}

function readExtra(options: TransposedSize, smallest: readonly number[], strides: readonly number[]): number[] {
  const { outputPadding, outputSize } = options;
  const rank = smallest.length;
  require(outputPadding === undefined || outputSize === undefined, () => {
    return `outputPadding ${show(outputPadding)} and outputSize ${show(outputSize)} are both given; expected at most one`;
  });
  if (outputSize === undefined) {
    const extra =
      outputPadding === undefined ? strides.map(() => 0) : readPerAxis("outputPadding", outputPadding, rank, 0);
    require(extra.every((value, axis) => value < strides[axis]), () => {
      return `outputPadding is ${show(extra)}; expected less than the stride, ${show([...strides])}`;
    });
    return extra;
  }
  const sizes = readPerAxis("outputSize", outputSize, rank, 1);
  const extra = sizes.map((size, axis) => size - smallest[axis]);
  require(extra.every((value, axis) => value >= 0 && value < strides[axis]), () => {
    const ranges = smallest.map((extent, axis) => `${String(extent)} to ${String(extent + strides[axis] - 1)}`);
    return `outputSize is ${show([...sizes])}; with these hyperparameters it can be ${ranges.join(" by ")}`;
  });
  return extra;
}
