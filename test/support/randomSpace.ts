/** Random layers from the whole space: rank, layouts, padding, padding modes, groups, dtypes, transposed or not. */
import {
  type ConvOptions,
  dilatedExtent,
  type DType,
  type Layout,
  type PaddingMode,
  type Rank,
  type TransposedSize,
} from "webgpu-conv";
import { sameTotalPadding } from "../../src/problem/geometry.js";
import { PADDING_MODES } from "../../src/problem/padding.js";
import type { Random } from "./data.js";

/** A layer as its forward call describes it. */
export interface RandomLayer {
  readonly rank: Rank;
  readonly transposed: boolean;
  readonly dtype: DType;
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions & TransposedSize;
}

type Pair = readonly [begin: number, end: number];

interface Axis {
  readonly input: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: Pair;
}

/** How the padding is said. */
type PaddingForm = "sides" | number | "valid" | "same" | "same-lower";

const MOST_INPUT: Readonly<Record<Rank, number>> = { 1: 26, 2: 9, 3: 4 };
const MOST_PADDING = 4;
/** Elements cropped at a side, at most. */
const MOST_CROP = 2;

/** Most padding that a mode takes for an input extent. */
function mostPadding(mode: PaddingMode, input: number): number {
  return { zeros: Infinity, reflect: input - 1, symmetric: input, replicate: Infinity, circular: input }[mode];
}

function drawSides(random: Random, mode: PaddingMode, input: number): Pair {
  const most = Math.min(mostPadding(mode, input), MOST_PADDING);
  const least = -Math.min(MOST_CROP, input);
  // Cropping seldom, so that most padding is seen on both sides.
  const side = (): number => random.integer(random.pick([0, 0, 0, least]), most);
  return [side(), side()];
}

const alike = (side: number): Pair => [side, side];

/** An axis, with an input that the filter fits into once it is padded: often smaller than the filter itself. */
function drawAxis(random: Random, rank: Rank, mode: PaddingMode, form: PaddingForm): Axis {
  const kernel = random.integer(1, rank === 3 ? 3 : 4);
  const dilation = random.pick([1, 1, 2, 3]);
  const stride = random.integer(1, 3);
  const drawn = random.integer(1, random.pick([2, MOST_INPUT[rank]]));
  const span = dilatedExtent(kernel, dilation);
  if (form === "same" || form === "same-lower") {
    const padding = sameTotalPadding(drawn, { kernel, stride, dilation }, form === "same-lower");
    // Where the mode has not as much to give, a larger input needs less.
    const input = Math.max(...padding) <= mostPadding(mode, drawn) ? drawn : drawn + span;
    return { input, kernel, stride, dilation, padding };
  }
  const padding = form === "sides" ? drawSides(random, mode, drawn) : alike(form === "valid" ? 0 : form);
  // A number may be more than the mode has to give at this extent: not at one larger.
  const input = Math.max(drawn, span - padding[0] - padding[1], typeof form === "number" ? form + 1 : 0);
  return { input, kernel, stride, dilation, padding };
}

/** An axis of a transposed convolution, whose padding crops the output: at least one element of it must be left. */
function drawTransposedAxis(random: Random, rank: Rank, form: PaddingForm): Axis {
  const { kernel, stride, dilation, ...axis } = drawAxis(random, rank, "zeros", "valid");
  const input = Math.max(1, axis.input - dilatedExtent(kernel, dilation) + 1);
  const full = (input - 1) * stride + dilatedExtent(kernel, dilation);
  if (form !== "sides") return { input, kernel, stride, dilation, padding: alike(0) };
  const begin = random.integer(-1, Math.min(3, full - 1));
  const end = random.integer(begin < 0 ? 0 : -1, Math.min(3, full - 1 - Math.max(begin, 0)));
  return { input, kernel, stride, dilation, padding: [begin, end] };
}

/** The transposed output's end: as it comes, so much longer, or its size. */
function drawTransposedSize(random: Random, axes: readonly Axis[]): TransposedSize {
  const extra = axes.map(({ stride }) => random.integer(0, stride - 1));
  const outputSize = axes.map(({ input, kernel, stride, dilation, padding: [begin, end] }, axis) => {
    return (input - 1) * stride + dilatedExtent(kernel, dilation) - begin - end + extra[axis];
  });
  return random.pick([{}, { outputPadding: extra }, { outputSize }]);
}

/** Groups, and the channels of a group on the weight's outer and inner side. One layer in five is depthwise. */
function drawChannels(random: Random): { groups: number; outer: number; inner: number } {
  if (random.integer(1, 5) === 1) return { groups: random.integer(2, 7), outer: random.integer(1, 2), inner: 1 };
  return { groups: random.pick([1, 1, 2, 3]), outer: random.integer(1, 5), inner: random.integer(1, 5) };
}

const joinShape = (layout: Layout, batch: number, channels: number, spatial: readonly number[]): number[] =>
  layout === "channels-first" ? [batch, channels, ...spatial] : [batch, ...spatial, channels];

/** The layer that the generator's state leads to. */
export function randomLayer(random: Random): RandomLayer {
  const rank = random.pick([1, 2, 2, 3] as const);
  const transposed = random.pick([false, false, true]);
  const mode = transposed ? "zeros" : random.pick(PADDING_MODES);
  const forms: readonly PaddingForm[] = [
    "sides",
    "sides",
    "sides",
    random.integer(1, 3),
    "same",
    "same-lower",
    "valid",
  ];
  const form = transposed ? random.pick<PaddingForm>(["sides", "sides", "valid"]) : random.pick(forms);
  const axes = Array.from({ length: rank }, () => {
    return transposed ? drawTransposedAxis(random, rank, form) : drawAxis(random, rank, mode, form);
  });
  const layout = random.pick(["channels-first", "channels-last"] as const);
  const { groups, outer, inner } = drawChannels(random);
  const spatial = axes.map(({ input }) => input);
  const letters = ["W", "HW", "DHW"][rank - 1];
  // The weight's outer dimension counts all channels on its side, the inner one those of a group on the other.
  const [out, into] = transposed ? ["I", "O"] : ["O", "I"];
  const kernel = axes.map((axis) => axis.kernel);
  const extents: Record<string, readonly number[]> = { [out]: [groups * outer], [into]: [inner], S: kernel };
  const order = random.pick([out + into + "S", "S" + into + out, out + "S" + into, into + "S" + out]);
  return {
    rank,
    transposed,
    dtype: random.pick(["float32", "float16"]),
    input: joinShape(layout, random.integer(1, 3), groups * (transposed ? outer : inner), spatial),
    weight: order.split("").flatMap((letter) => extents[letter]),
    options: {
      groups,
      layout,
      weightLayout: order.replace("S", letters) as NonNullable<ConvOptions["weightLayout"]>,
      stride: axes.map(({ stride }) => stride),
      dilation: axes.map(({ dilation }) => dilation),
      padding: form === "sides" ? axes.map(({ padding }) => padding) : form,
      ...(transposed ? drawTransposedSize(random, axes) : { paddingMode: mode }),
    },
  };
}
