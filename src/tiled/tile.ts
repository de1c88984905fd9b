/** Tiles of a result, and the problem that each layer is for a tile. */
import { type Alignment, layerAxis } from "../planning/order.js";
import { type AxisPart, type LayerAxis, lengthOf, type Span } from "../problem/axis.js";
import { joinActivation, type Layout } from "../problem/layout.js";
import type { ConvOperation } from "../problem/operation.js";
import { partProblem } from "../problem/part.js";

import type { Layer, Stack } from "./layers.js";

/** The layers along each spatial axis. */
export function axesOf({ rank, layers }: Stack, alignments: readonly Alignment[]): readonly (readonly LayerAxis[])[] {
  return Array.from({ length: rank }, (_, axis) =>
    layers.map((layer, index) => layerAxis(layer, axis, alignments[index])),
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
