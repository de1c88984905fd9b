/**
 * ConvProblem: the validated, immutable description of a convolution, with everything derived once.
 *
 * It always speaks of x, w and y (input, weight, output of the *forward* pass). A backward pass never
 * swaps them: the input gradient has the shape of x and is computed from dy, shaped as y.
 */
import { require } from "../base/errors.js";
import { dilatedExtent, product, requireInteger } from "./geometry.js";
import {
  activationStrides,
  type Layout,
  orderName,
  readLayout,
  readWeightOrder,
  splitWeight,
  type TensorStrides,
  weightDimensions,
  type WeightOrder,
  weightStrides,
  type WeightStrides,
} from "./layout.js";
import { layoutHint, type Mismatch } from "./layoutHints.js";
import type { NumberList } from "../base/list.js";
import type { Hyperparameters } from "./options.js";
import { type PaddedAxis, readPadding, readPerAxis } from "./options.js";
import { type PaddingMode, readPaddingMode, requirePaddable } from "./padding.js";
import { activationShape, readActivationShape, readShape } from "./shapes.js";

/** One value for depth, height and width. Axes that a 1D or 2D problem lacks are degenerate. */
export type Triple = readonly [depth: number, height: number, width: number];

/** Spatial axes of a problem. */
export type Rank = 1 | 2 | 3;

/** A convolution, seen from its forward pass: `y = conv(x, w)`. */
export interface ConvProblem {
  readonly rank: Rank;
  /** Samples; 0 for an empty batch. */
  readonly batch: number;
  /** Whether the shapes have a dimension for the batch. Where they don't there is one sample. */
  readonly batched: boolean;
  readonly groups: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly inChannelsPerGroup: number;
  readonly outChannelsPerGroup: number;
  /** Spatial extents, always [depth, height, width]; a missing axis has extent 1. */
  readonly input: Triple;
  readonly kernel: Triple;
  readonly output: Triple;
  readonly stride: Triple;
  readonly dilation: Triple;
  readonly padBegin: Triple;
  readonly padEnd: Triple;
  readonly paddingMode: PaddingMode;
  readonly layout: Layout;
  readonly weightOrder: WeightOrder;
  /** Where elements lie in memory. */
  readonly inputStrides: TensorStrides;
  readonly outputStrides: TensorStrides;
  readonly weightStrides: WeightStrides;
  /** Elements between the filters of neighbouring output positions: 0, since a convolution shares one filter. */
  readonly weightPositionStride: number;
  /** Product of `input`, `output` and `kernel` each. */
  readonly inputPositions: number;
  readonly outputPositions: number;
  readonly taps: number;
  /** Tensor shapes in the caller's own rank and layout. */
  readonly inputShape: readonly number[];
  readonly weightShape: readonly number[];
  readonly outputShape: readonly number[];
  /** Multiply-adds of a pass, padding counted. */
  readonly multiplyAdds: number;
  /** Equal for two problems exactly when every field above is equal, except `batched` for one sample. */
  readonly key: string;
}

const AXIS_NAMES = ["depth", "height", "width"] as const;

/** The number of groups, an integer of at least 1. */
export function readGroups({ groups = 1 }: Hyperparameters): number {
  requireInteger("groups", groups, 1);
  return groups;
}

function toTriple(values: readonly number[], missing: number): Triple {
  const [width = missing, height = missing, depth = missing] = [...values].reverse();
  return [depth, height, width];
}

/** Throws unless the channels of input and weight agree. `hint` ends the message. */
function requireChannels(
  {
    inChannels,
    inChannelsPerGroup,
    outChannels,
    groups,
  }: Pick<ConvProblem, "inChannels" | "inChannelsPerGroup" | "outChannels" | "groups">,
  hint: () => string,
): void {
  require(inChannels % groups === 0, () => {
    return `input has ${String(inChannels)} channels; expected a multiple of groups = ${String(groups)}${hint()}`;
  });
  require(inChannelsPerGroup === inChannels / groups, () => {
    const expected = `${String(inChannels)} / ${String(groups)} groups = ${String(inChannels / groups)}`;
    return `weight has ${String(inChannelsPerGroup)} input channels; expected ${expected}${hint()}`;
  });
  require(outChannels % groups === 0, () => {
    return `weight has ${String(outChannels)} output channels; expected a multiple of groups = ${String(groups)}${hint()}`;
  });
}

/** The output's extent along an axis. Throws where it would be empty. */
function outputAlong(
  name: string,
  { input, kernel, stride, dilation }: PaddedAxis,
  [begin, end]: readonly [begin: number, end: number],
  hint: () => string,
): number {
  const room = input + begin + end - dilatedExtent(kernel, dilation);
  require(room >= 0, () => {
    const padded = `input ${String(input)} + padding ${String(begin)} + ${String(end)} = ${String(input + begin + end)}`;
    const span = `dilation ${String(dilation)} * (kernel ${String(kernel)} - 1) + 1 = ${String(dilatedExtent(kernel, dilation))}`;
    return `the output would be empty along ${name}: ${padded} is smaller than the filter's span, ${span}${hint()}`;
  });
  return Math.floor(room / stride) + 1;
}

/**
 * Validates shapes and hyperparameters and derives the rest.
 *
 * @param inputShape `[batch, inChannels, ...spatial]`, or as `options.layout` says; without the batch for one sample
 * @param givenWeightShape `[outChannels, inChannels / groups, ...kernel]`, or as `options.weightLayout` says
 * @throws ArgumentError naming the rule and the values.
 */
export function makeProblem(
  rank: Rank,
  inputShape: NumberList,
  givenWeightShape: NumberList,
  options: Hyperparameters = {},
): ConvProblem {
  const layout = readLayout(options.layout);
  const weightOrder = readWeightOrder(options.weightLayout, rank);
  const paddingMode = readPaddingMode(options.paddingMode);
  const {
    batch,
    channels: inChannels,
    spatial: inputSpatial,
    batched,
  } = readActivationShape("input", inputShape, rank, layout);
  const weightShape = readShape("weight", givenWeightShape, rank + 2, () => weightDimensions(weightOrder, rank));
  const { out: outChannels, in: inChannelsPerGroup, spatial: kernelSpatial } = splitWeight(weightShape, weightOrder);

  const groups = readGroups(options);
  const hint = (): string => {
    const input = { batch, channels: inChannels, spatial: inputSpatial };
    const fits: Mismatch["fits"] = (x, w) => x.channels === w.in * groups && w.out % groups === 0;
    const nameOf = (order: WeightOrder): string => orderName(order, rank);
    return layoutHint({ layout, order: weightOrder, input, weightShape, fits, nameOf });
  };
  requireChannels({ inChannels, inChannelsPerGroup, outChannels, groups }, hint);

  const strides = readPerAxis("stride", options.stride, rank, 1);
  const dilations = readPerAxis("dilation", options.dilation, rank, 1);
  const axes = inputSpatial.map((input, axis) => {
    return { input, kernel: kernelSpatial[axis], stride: strides[axis], dilation: dilations[axis] };
  });
  const pads = readPadding(options.padding, axes);
  const outputSpatial = axes.map((axis, i) => {
    const name = AXIS_NAMES[3 - rank + i];
    const extent = outputAlong(name, axis, pads[i], hint);
    requirePaddable(paddingMode, axis.input, pads[i], name);
    return extent;
  });

  const input = toTriple(inputSpatial, 1);
  const kernel = toTriple(kernelSpatial, 1);
  const output = toTriple(outputSpatial, 1);
  const stride = toTriple(strides, 1);
  const dilation = toTriple(dilations, 1);
  const padBegin = toTriple(
    pads.map(([begin]) => begin),
    0,
  );
  const padEnd = toTriple(
    pads.map(([, end]) => end),
    0,
  );
  const outputPositions = product(output);
  const inputPositions = product(input);
  const taps = product(kernel);
  return Object.freeze({
    rank,
    batch,
    batched,
    groups,
    inChannels,
    outChannels,
    inChannelsPerGroup,
    outChannelsPerGroup: outChannels / groups,
    input,
    kernel,
    output,
    stride,
    dilation,
    padBegin,
    padEnd,
    paddingMode,
    layout,
    weightOrder,
    inputStrides: activationStrides(layout, inChannels, inputPositions),
    outputStrides: activationStrides(layout, outChannels, outputPositions),
    weightStrides: weightStrides(weightOrder, outChannels, inChannelsPerGroup, taps),
    weightPositionStride: 0,
    inputPositions,
    outputPositions,
    taps,
    inputShape: activationShape({ batch, channels: inChannels, spatial: inputSpatial, batched }, layout),
    weightShape,
    outputShape: activationShape({ batch, channels: outChannels, spatial: outputSpatial, batched }, layout),
    multiplyAdds: batch * outputPositions * outChannels * inChannelsPerGroup * taps,
    key: [
      [batch, rank, groups, inChannels, outChannels, input, kernel, stride, dilation, padBegin, padEnd],
      [paddingMode, layout, weightOrder],
    ].join(),
  });
}

/** The same problem for another number of samples, in a batch. */
export function withBatch(problem: ConvProblem, batch: number): ConvProblem {
  const { batched, inputShape, outputShape, outputPositions, outChannels, inChannelsPerGroup, taps, key } = problem;
  const first = batched ? 1 : 0;
  return Object.freeze({
    ...problem,
    batch,
    batched: true,
    inputShape: [batch, ...inputShape.slice(first)],
    outputShape: [batch, ...outputShape.slice(first)],
    multiplyAdds: batch * outputPositions * outChannels * inChannelsPerGroup * taps,
    key: key.replace(/^\d+/, String(batch)),
  });
}
