/** Tiles of a result, and the problem that each layer is for a tile. */
import { joinActivation, type Layout, orderName, type WeightLayout } from "../problem/layout.js";
import type { ConvOperation } from "../problem/operation.js";
import { type ConvProblem, makeProblem } from "../problem/problem.js";
import { type AxisPart, type LayerAxis, lengthOf, type Span } from "./axis.js";
import type { Layer, Stack } from "./layers.js";

/** How the spans of a layer's result must lie, an axis each. */
export interface Alignment {
  readonly units: readonly number[];
  readonly inBlocks: boolean;
}

/** The layers along each spatial axis. */
export function axesOf({ rank, layers }: Stack, alignments: readonly Alignment[]): readonly (readonly LayerAxis[])[] {
  return Array.from({ length: rank }, (_, axis) =>
    layers.map(({ problem, transposed }, index): LayerAxis => {
      // Problems have three axes always.
      const at = 3 - rank + axis;
      const [input, output] = transposed
        ? [problem.output[at], problem.input[at]]
        : [problem.input[at], problem.output[at]];
      return {
        input,
        output,
        kernel: problem.kernel[at],
        stride: problem.stride[at],
        dilation: problem.dilation[at],
        pads: [problem.padBegin[at], problem.padEnd[at]],
        transposed,
        paddingMode: problem.paddingMode,
        align: alignments[index].units[axis],
        inBlocks: alignments[index].inBlocks,
      };
    }),
  );
}

/** A tile: a part of the result along each axis. */
export type Tile = readonly AxisPart[];

/** What of the source, or of a layer's result, a tile needs: 0 is the source, 1 the first layer's result. */
export const spansAt = (tile: Tile, index: number): readonly Span[] => tile.map(({ spans }) => spans[index]);

/** The shape of a part of a tensor with so many channels. */
export const partShape = (channels: number, spans: readonly Span[], layout: Layout): readonly number[] =>
  joinActivation({ batch: 1, channels, spatial: spans.map(lengthOf) }, layout).slice(1);

/** Channels that a layer reads. */
export const channelsRead = ({ problem, transposed }: Layer): number =>
  transposed ? problem.outChannels : problem.inChannels;
/** Channels of its result. */
export const channelsMade = ({ problem, transposed }: Layer): number =>
  transposed ? problem.inChannels : problem.outChannels;

/** The operation that a layer is for a tile. */
export function operationFor({ layers }: Stack, tile: Tile, index: number): ConvOperation {
  const { problem, transposed, call } = layers[index];
  const sources = spansAt(tile, transposed ? index + 1 : index).map(lengthOf);
  const padding = tile.map(({ pads }) => pads[index]);
  return { ...call.operation, problem: partProblem(problem, sources, padding) };
}

/** The convolution of one sample with this input and padding, and all else as it was. */
export function partProblem(
  problem: ConvProblem,
  extents: readonly number[],
  padding: readonly (readonly [number, number])[],
): ConvProblem {
  const { rank, layout, inChannels: channels, groups, paddingMode, weightShape, weightOrder } = problem;
  const own = <Value>(triple: readonly Value[]): readonly Value[] => triple.slice(3 - rank);
  return makeProblem(rank, joinActivation({ batch: 1, channels, spatial: extents }, layout).slice(1), weightShape, {
    stride: own(problem.stride),
    dilation: own(problem.dilation),
    padding,
    groups,
    paddingMode,
    layout,
    weightLayout: orderName(weightOrder, rank) as WeightLayout,
  });
}
