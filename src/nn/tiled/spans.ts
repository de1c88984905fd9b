/** Which positions of a network's values a part of its result is computed from, along one spatial axis. */
import { type Alignment, layerAxis } from "../../planning/order.js";
import type { Reach } from "../../planning/tensorOperation.js";
import { alignDown, alignUp, needed, type Span } from "../../problem/axis.js";
import type { NetworkStep, NetworkTrace } from "./networkTrace.js";

/** How a result's spans must lie, by convolution. */
export type Alignments = ReadonlyMap<object, Alignment>;

/**
 * Spans by value, in the whole; undefined of values that the span of the result does not need.
 *
 * @param axis spatial, of the network's input
 */
export function spansOf(
  { values, steps, output }: NetworkTrace,
  alignments: Alignments,
  axis: number,
  span: Span,
): readonly (Span | undefined)[] {
  const spans = new Array<Span | undefined>(values.length).fill(undefined);
  const include = (index: number, more: Span): void => {
    const known = spans[index] ?? more;
    spans[index] = { begin: Math.min(known.begin, more.begin), end: Math.max(known.end, more.end) };
  };
  include(output, span);
  for (const step of [...steps].reverse()) {
    const wanted = step.makes.flatMap((index) => spans[index] ?? []);
    if (wanted.length === 0) continue;
    const extent = values[step.makes[0]].extents[axis];
    const unit = unitOf(step, alignments, axis);
    const made = {
      begin: alignDown(Math.min(...wanted.map(({ begin }) => begin)), unit),
      end: Math.min(alignUp(Math.max(...wanted.map(({ end }) => end)), unit), extent),
    };
    for (const index of [...step.makes, ...step.readsInPlace]) include(index, made);
    for (const index of step.reads) {
      const { extents } = values[index];
      include(index, sourceOf(step, alignments, axis, made, [extents[axis], extent], axis - extents.length));
    }
  }
  return spans;
}

/** Multiples at which a step's results are computed together. */
export function unitOf({ window }: NetworkStep, alignments: Alignments, axis: number): number {
  const alignment = "convolution" in window ? alignments.get(window.convolution) : undefined;
  return alignment?.inBlocks ? alignment.units[axis] : 1;
}

type Extents = readonly [input: number, output: number];

/** @param last the axis counted from the end, -1 for the last one */
function sourceOf(
  { window }: NetworkStep,
  alignments: Alignments,
  axis: number,
  made: Span,
  extents: Extents,
  last: number,
): Span {
  if (!("convolution" in window)) return window.reach ? reached(window.reach, last, made, extents) : made;
  const { problem, direction } = window.convolution.operation;
  const alignment = alignments.get(window.convolution) ?? { units: problem.stride, inBlocks: false };
  return needed(layerAxis({ problem, transposed: direction === "inputGradient" }, axis, alignment), made);
}

/** More than a rounding error of a fraction. */
const SLACK = 1e-6;

/** Reaches have three axes, or as many as the tensor: its own are the last ones. */
function reached(reach: Reach, last: number, made: Span, [input, output]: Extents): Span {
  const extent = reach.extent.at(last) ?? 1;
  const stride = reach.stride.at(last) ?? 1;
  const begin = -(reach.before?.at(last) ?? 0);
  if (Number.isInteger(stride)) {
    const first = Math.floor(begin);
    return needed(
      {
        ...{ input, output, stride, kernel: extent, dilation: 1, transposed: false, align: 1, inBlocks: false },
        pads: [-first, (output - 1) * stride + extent + first - input],
        paddingMode: reach.paddingMode ?? "zeros",
      },
      made,
    );
  }
  const from = Math.floor(made.begin * stride + begin - SLACK);
  const to = Math.floor((made.end - 1) * stride + begin + SLACK) + extent;
  return { begin: Math.max(0, Math.min(from, input - 1)), end: Math.max(1, Math.min(to, input)) };
}
