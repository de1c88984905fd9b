/** Regions of a source or a result, and copies between whole tensors and parts of them. */
import { product } from "../problem/geometry.js";
import type { Layout } from "../problem/layout.js";
import type { Span } from "../problem/axis.js";
import { partShape } from "./tile.js";

/** A part of a source or of a result: all its channels, between two corners. */
export interface TileRegion {
  /** The first position along each spatial axis: `[top, left]` in 2D. */
  readonly begin: readonly number[];
  /** The end along each spatial axis, which is not among them: `[bottom, right]`. */
  readonly end: readonly number[];
  /** The shape of its values, row-major: `[C, bottom - top, right - left]`, or as the call's `layout` says. */
  readonly shape: readonly number[];
  /** The shape of the whole. */
  readonly whole: readonly number[];
}

export function regionOf(
  spans: readonly Span[],
  channels: number,
  whole: readonly number[],
  layout: Layout,
): TileRegion {
  return {
    begin: spans.map(({ begin }) => begin),
    end: spans.map(({ end }) => end),
    shape: partShape(channels, spans, layout),
    whole,
  };
}

const AXES = ["planes", "rows", "columns"];

/** A region in words: "rows 0 to 8, columns 16 to 32", their ends not among them. */
export function describeRegion({ begin, end }: TileRegion): string {
  const names = AXES.slice(-begin.length);
  return names.map((name, axis) => `${name} ${String(begin[axis])} to ${String(end[axis])}`).join(", ");
}

/** A tensor's values, and where in it a block begins. */
export interface Block {
  readonly values: Float32Array;
  readonly shape: readonly number[];
  readonly at: readonly number[];
}

/** Copies a block of these extents. */
export function copyBlock(from: Block, to: Block, extents: readonly number[]): void {
  const row = extents[extents.length - 1];
  const rows = product(extents.slice(0, -1));
  const index = new Array<number>(extents.length).fill(0);
  const place = ({ shape, at }: Block): number =>
    shape.reduce((sum, extent, axis) => sum * extent + at[axis] + index[axis], 0);
  for (let i = 0; i < rows; i++) {
    const first = place(from);
    to.values.set(from.values.subarray(first, first + row), place(to));
    for (let axis = extents.length - 2; axis >= 0 && ++index[axis] === extents[axis]; axis--) index[axis] = 0;
  }
}

/** Where a region begins in a tensor that begins at `origin`, in the order of its dimensions. */
export function placeIn(begin: readonly number[], origin: readonly number[], layout: Layout): readonly number[] {
  const spatial = begin.map((position, axis) => position - origin[axis]);
  return layout === "channels-first" ? [0, ...spatial] : [...spatial, 0];
}

/** The values of a region, of a tensor's that begins at `origin`. */
export function cutOut(
  values: Float32Array<ArrayBuffer>,
  shape: readonly number[],
  origin: readonly number[],
  region: TileRegion,
  layout: Layout,
): Float32Array<ArrayBuffer> {
  const part = new Float32Array(product(region.shape));
  const at = region.shape.map(() => 0);
  copyBlock(
    { values, shape, at: placeIn(region.begin, origin, layout) },
    { values: part, shape: region.shape, at },
    region.shape,
  );
  return part;
}
