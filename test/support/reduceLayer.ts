/**
 * Cuts a convolution layer down to a number of multiply-adds, keeping what makes it the layer it is.
 *
 * Kernel, stride, dilation and padding stay. In this order, as far as needed: the batch becomes 2, then 1; the longer
 * output axis is halved again and again, down to LEAST_OUTPUT; groups are dropped down to LEAST_GROUPS; the
 * channels of a group are halved, the larger count first.
 */
import type { ConvOptions } from "webgpu-conv";
import { dilatedExtent } from "../../src/problem/geometry.js";

/** One spatial axis; the padded input is exactly what the outputs need. */
export interface LayerAxis {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padBegin: number;
  readonly padEnd: number;
}

export interface Layer {
  readonly batch: number;
  readonly groups: number;
  readonly inChannelsPerGroup: number;
  readonly outChannelsPerGroup: number;
  readonly height: LayerAxis;
  readonly width: LayerAxis;
}

const MOST_BATCH = 2;
/** Enough for a corner, an edge and an inside. */
const LEAST_OUTPUT = 5;
const LEAST_GROUPS = 4;

export function multiplyAddsOf({
  batch,
  groups,
  inChannelsPerGroup,
  outChannelsPerGroup,
  height,
  width,
}: Layer): number {
  const positions = batch * height.output * width.output;
  return positions * groups * inChannelsPerGroup * outChannelsPerGroup * height.kernel * width.kernel;
}

/** The axis with another number of outputs; undefined where no input would be left, or it would not be smaller. */
function withOutput(axis: LayerAxis, output: number): LayerAxis | undefined {
  const { kernel, stride, dilation, padBegin, padEnd } = axis;
  const input = (output - 1) * stride + dilatedExtent(kernel, dilation) - padBegin - padEnd;
  const usable = output < axis.output && input >= 1 && input >= -padEnd;
  return usable ? { ...axis, output, input } : undefined;
}

const halve = (count: number): number => Math.ceil(count / 2);

/** The next smaller layer, by the first rule that still has something to take away. */
function cutOnce(layer: Layer): Layer | undefined {
  const { batch, groups, inChannelsPerGroup, outChannelsPerGroup, height, width } = layer;
  if (batch > 1) return { ...layer, batch: 1 };
  const axes = height.output >= width.output ? (["height", "width"] as const) : (["width", "height"] as const);
  for (const name of axes) {
    const axis = withOutput(layer[name], Math.max(LEAST_OUTPUT, halve(layer[name].output)));
    if (axis) return { ...layer, [name]: axis };
  }
  if (groups > LEAST_GROUPS) return { ...layer, groups: Math.max(LEAST_GROUPS, halve(groups)) };
  if (inChannelsPerGroup * outChannelsPerGroup === 1) return undefined;
  return inChannelsPerGroup >= outChannelsPerGroup
    ? { ...layer, inChannelsPerGroup: halve(inChannelsPerGroup) }
    : { ...layer, outChannelsPerGroup: halve(outChannelsPerGroup) };
}

/** The layer with a batch of at most {@link MOST_BATCH}, cut until it takes at most `mostMultiplyAdds`. */
export function reduceLayer(layer: Layer, mostMultiplyAdds: number): Layer {
  let reduced: Layer = { ...layer, batch: Math.min(layer.batch, MOST_BATCH) };
  while (multiplyAddsOf(reduced) > mostMultiplyAdds) {
    const smaller = cutOnce(reduced);
    if (!smaller) break;
    reduced = smaller;
  }
  return reduced;
}

const inputOf = ({ height, width }: Layer): string => `${String(height.input)}x${String(width.input)}`;
const channelsOf = ({ groups, inChannelsPerGroup, outChannelsPerGroup }: Layer): string =>
  `${String(groups)} x ${String(inChannelsPerGroup)} to ${String(outChannelsPerGroup)}`;

/** What was cut, in words, to follow the layer's name; empty where nothing was. */
export function describeCuts(original: Layer, reduced: Layer): string {
  const cuts = [
    ["batch", String(original.batch), String(reduced.batch)],
    ["input", inputOf(original), inputOf(reduced)],
    ["channels", channelsOf(original), channelsOf(reduced)],
  ].filter(([, before, after]) => before !== after);
  const words = cuts.map(([what, before, after]) => `${what} ${before} cut to ${after}`);
  return words.length > 0 ? ` (${words.join(", ")})` : "";
}

export function layerShapes(layer: Layer): {
  readonly inputShape: readonly number[];
  readonly weightShape: readonly number[];
  readonly options: ConvOptions;
} {
  const { batch, groups, inChannelsPerGroup, outChannelsPerGroup, height, width } = layer;
  return {
    inputShape: [batch, groups * inChannelsPerGroup, height.input, width.input],
    weightShape: [groups * outChannelsPerGroup, inChannelsPerGroup, height.kernel, width.kernel],
    options: {
      groups,
      stride: [height.stride, width.stride],
      dilation: [height.dilation, width.dilation],
      padding: [
        [height.padBegin, height.padEnd],
        [width.padBegin, width.padEnd],
      ],
    },
  };
}
