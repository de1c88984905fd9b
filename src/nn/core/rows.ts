/** Rows along an axis of a tensor, as kernels work on them (shaders/common/rows.wgsl). */
import type { Resize } from "../../planning/tensorOperation.js";
import { product } from "../../problem/geometry.js";
import { powerOfTwo, THREADS } from "./elements.js";

export interface Rows {
  readonly rows: number;
  /** Elements of a row. */
  readonly extent: number;
  /** Elements behind the axis: from one of a row to the next. */
  readonly inner: number;
}

/** Elements that one thread takes, before several share a row that does not lie together. */
const MOST_ALONE = 64;

export function rowsAlong(shape: readonly number[], axis: number): Rows {
  const extent = shape[axis];
  const inner = product(shape.slice(axis + 1));
  return { rows: product(shape.slice(0, axis)) * inner, extent, inner };
}

/** Rows with other extents, as `to` says. */
export function resizedRows({ rows, extent, inner }: Rows, to: Resize): Rows {
  const beside = to(inner);
  return { rows: to(rows / inner) * beside, extent: to(extent), inner: beside };
}

/** How the threads of a workgroup lie along rows. */
export function lanesFor({ extent, inner }: Rows): {
  readonly lanes: number;
  readonly rowsFirst: boolean;
  /** Rows of a workgroup. */
  readonly together: number;
} {
  const wanted = inner === 1 ? extent : Math.ceil(extent / MOST_ALONE);
  const lanes = Math.min(THREADS, powerOfTwo(Math.max(1, wanted)));
  return { lanes, rowsFirst: inner > 1, together: THREADS / lanes };
}

/** On the host: where the elements of a row lie. */
export function placesOf({ extent, inner }: Rows, row: number): number[] {
  const start = Math.floor(row / inner) * extent * inner + (row % inner);
  return Array.from({ length: extent }, (_, i) => start + i * inner);
}
