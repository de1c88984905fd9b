/** Random layers from the whole space: rank, layouts, padding modes, groups, dtypes, transposed or not. */
import {
  type ConvOptions,
  dilatedExtent,
  type DType,
  type Layout,
  type PaddingMode,
  type Rank,
  type TransposedSize,
} from "webgpu-conv";
import { PADDING_MODES } from "../../src/padding.js";
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

interface Axis {
  readonly input: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: readonly [number, number];
  readonly outputPadding: number;
}

/** Most padding that a mode takes for an input extent. */
function mostPadding(mode: PaddingMode, input: number): number {
  const most = { zeros: 4, reflect: input - 1, symmetric: input, replicate: 4, circular: input }[mode];
  return Math.min(most, 4);
}

function randomAxis(random: Random, rank: Rank, mode: PaddingMode): Axis {
  const kernel = random.integer(1, rank === 3 ? 3 : 4);
  const dilation = random.pick([1, 1, 2, 3]);
  const span = dilatedExtent(kernel, dilation);
  const input = span + random.integer(0, { 1: 24, 2: 6, 3: 2 }[rank]);
  const most = mostPadding(mode, input);
  const least = mode === "zeros" ? -Math.min(1, input - span) : 0;
  const stride = random.integer(1, 3);
  const padding = [random.integer(0, most), random.integer(least, most)] as const;
  return { input, kernel, stride, dilation, padding, outputPadding: random.integer(0, stride - 1) };
}

const joinShape = (layout: Layout, batch: number, channels: number, spatial: readonly number[]): number[] =>
  layout === "channels-first" ? [batch, channels, ...spatial] : [batch, ...spatial, channels];

/** The layer that the generator's state leads to: small, so that sums of small integers stay exact in float16 too. */
export function randomLayer(random: Random): RandomLayer {
  const rank = random.pick([1, 2, 2, 3] as const);
  const transposed = random.pick([false, false, true]);
  const mode = transposed ? "zeros" : random.pick(PADDING_MODES);
  const axes = Array.from({ length: rank }, () => randomAxis(random, rank, mode));
  const layout = random.pick(["channels-first", "channels-last"] as const);
  const groups = random.pick([1, 1, 2, 3]);
  const [first, second] = [random.integer(1, 5), random.integer(1, 5)];
  const spatial = axes.map(({ input }) => input);
  const kernel = axes.map((axis) => axis.kernel);
  const letters = ["W", "HW", "DHW"][rank - 1];
  // The weight's first dimension counts all channels on its side, the second those of a group on the other.
  const [outer, inner] = transposed ? ["I", "O"] : ["O", "I"];
  const extents: Record<string, readonly number[]> = { [outer]: [groups * first], [inner]: [second], S: kernel };
  const order = random.pick([outer + inner + "S", "S" + inner + outer, outer + "S" + inner, inner + "S" + outer]);
  return {
    rank,
    transposed,
    dtype: random.pick(["float32", "float16"]),
    input: joinShape(layout, random.integer(1, 2), groups * (transposed ? first : second), spatial),
    weight: order.split("").flatMap((letter) => extents[letter]),
    options: {
      groups,
      layout,
      weightLayout: order.replace("S", letters) as NonNullable<ConvOptions["weightLayout"]>,
      stride: axes.map(({ stride }) => stride),
      dilation: axes.map(({ dilation }) => dilation),
      padding: axes.map(({ padding }) => (transposed ? ([0, 0] as const) : padding)),
      ...(transposed ? { outputPadding: axes.map(({ outputPadding }) => outputPadding) } : { paddingMode: mode }),
    },
  };
}
