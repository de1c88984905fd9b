/**
 * Ranges: what a piece of an operation covers along each axis by which operations are cut. A piece is an operation of the same kind
 * on parts of the tensors; its result is a part of the whole's.
 */
import { type AxisPart, lengthOf, partOf, type Span } from "../problem/axis.js";
import { dilatedExtent } from "../problem/geometry.js";
import { type Alignment, layerAxis } from "../planning/order.js";
import type { ConvOperation } from "../problem/operation.js";

/** Axes by which operations are cut: channels are those of a group. */
export const CUT_AXES = ["samples", "groups", "output channels", "input channels", "depth", "height", "width"] as const;
export type CutAxis = (typeof CUT_AXES)[number];

/** The axes of a problem's positions. */
export const spatialAxes = ({ problem: { rank } }: ConvOperation): readonly CutAxis[] =>
  (["depth", "height", "width"] as const).slice(3 - rank);

/** How many pieces there are along each axis. */
export type Counts = Readonly<Record<CutAxis, number>>;
export const UNCUT = Object.fromEntries(CUT_AXES.map((axis) => [axis, 1])) as Counts;

/** What a piece covers along an axis. Along one of positions `spans` are of the input and of the output of the pass. */
export type Range = Pick<AxisPart, "wanted" | "spans" | "pads">;
export type Ranges = Readonly<Record<CutAxis, Range>>;

const rangeOf = (wanted: Span): Range => ({ wanted, spans: [wanted, wanted], pads: [[0, 0]] });
const whole = (extent: number): Span => ({ begin: 0, end: extent });

/** Extents that are cut. Positions are those of the result, or of dy where the result has none. */
export function extentOf(operation: ConvOperation, axis: CutAxis): number {
  const { problem } = operation;
  switch (axis) {
    case "samples":
      return problem.batch;
    case "groups":
      return problem.groups;
    case "output channels":
      return problem.outChannelsPerGroup;
    case "input channels":
      return problem.inChannelsPerGroup;
    default: {
      const extents = operation.direction === "inputGradient" ? problem.input : problem.output;
      return extents[["depth", "height", "width"].indexOf(axis)];
    }
  }
}

/** The ranges along an axis in `count` pieces, or a few fewer. */
export function rangesAlong(operation: ConvOperation, axis: CutAxis, count: number, alignment: Alignment): Range[] {
  const extent = extentOf(operation, axis);
  const place = spatialAxes(operation).indexOf(axis);
  const unit = place < 0 ? 1 : alignment.units[place];
  const length = unit * Math.ceil(extent / count / unit);
  return Array.from({ length: Math.ceil(extent / length) }, (_, i) => {
    const wanted = { begin: i * length, end: Math.min(extent, (i + 1) * length) };
    return place < 0 ? rangeOf(wanted) : positionsOf(operation, place, wanted, alignment);
  });
}

/** The whole of what an axis has that the problem lacks, or that is not cut. */
export const uncutRange = (operation: ConvOperation, axis: CutAxis, alignment: Alignment): Range =>
  spatialAxes(operation).includes(axis) || !["depth", "height", "width"].includes(axis)
    ? rangesAlong(operation, axis, 1, alignment)[0]
    : rangeOf(whole(1));

/** What a span of positions of the result needs of the source. */
function positionsOf(operation: ConvOperation, place: number, wanted: Span, alignment: Alignment): Range {
  const { problem, direction } = operation;
  const transposed = direction === "inputGradient";
  const layer = layerAxis({ problem, transposed }, place, alignment);
  const copies = problem.paddingMode !== "zeros" && layer.pads.some((pad) => pad > 0);
  const isPart = lengthOf(wanted) < layer.output;
  return transposed && copies && isPart ? withCopies(layer, wanted) : partOf([layer], wanted);
}

/**
 * Of an input gradient whose padding copies elements: what flowed to the copies flows back. So elements near an edge need what
 * reaches beyond it. All windows of the outputs that are read must lie within what is computed, since an end that is no true edge
 * mirrors nothing: more is computed than is wanted.
 */
function withCopies(layer: ReturnType<typeof layerAxis>, wanted: Span): Range {
  const { input: outputs, output: extent, kernel, stride, dilation, pads, paddingMode } = layer;
  const taps = dilatedExtent(kernel, dilation);
  if (paddingMode === "circular") return partOf([layer], whole(extent));
  const [before, after] = pads.map((pad) => Math.max(0, pad));
  const low = wanted.begin <= before ? Math.min(-pads[0], wanted.begin) : wanted.begin;
  const high = wanted.end >= extent - after ? Math.max(extent + pads[1], wanted.end) : wanted.end;
  const first = Math.max(0, Math.min(Math.ceil((low + pads[0] - taps + 1) / stride), outputs - 1));
  const end = Math.max(first + 1, Math.min(Math.floor((high - 1 + pads[0]) / stride) + 1, outputs));
  const reached = first * stride - pads[0];
  const begin = Math.max(0, stride * Math.floor(Math.min(wanted.begin, reached) / stride));
  const to = { begin, end: Math.min(extent, Math.max(wanted.end, reached + (end - first - 1) * stride + taps)) };
  const padBegin = pads[0] + to.begin - first * stride;
  const padEnd = (end - first - 1) * stride + taps - lengthOf(to) - padBegin;
  return { wanted, spans: [{ begin: first, end }, to], pads: [[padBegin, padEnd]] };
}
