/** Blocks of a volume, with what a network sees around them. */
import type { Extents } from "./phantom.js";

export interface Span {
  readonly begin: number;
  /** Not among them. */
  readonly end: number;
}

/** By axis. */
export type Box = readonly [planes: Span, rows: Span, columns: Span];

export interface Block {
  /** What is wanted of it: the blocks' are the volume, each voxel once. */
  readonly own: Box;
  /** What is computed for that: own, and the halo within the volume. */
  readonly crop: Box;
}

/** The volume in as many blocks along each axis as `counts` says. Crops have one shape: one set of kernels, and memory that serves again. */
export function blocksOf(extents: Extents, counts: Extents, halo: number): readonly Block[] {
  const [planes, rows, columns] = extents.map((extent, axis) => partsOf(extent, counts[axis], halo));
  return planes.flatMap((plane) =>
    rows.flatMap((row) =>
      columns.map((column): Block => {
        return { own: [plane.own, row.own, column.own], crop: [plane.crop, row.crop, column.crop] };
      }),
    ),
  );
}

interface Part {
  readonly own: Span;
  readonly crop: Span;
}

function partsOf(extent: number, count: number, halo: number): readonly Part[] {
  const owns = Array.from({ length: count }, (_, i): Span => {
    return { begin: Math.floor((i * extent) / count), end: Math.floor(((i + 1) * extent) / count) };
  });
  const needed = owns.map(({ begin, end }): Span => {
    return { begin: Math.max(0, begin - halo), end: Math.min(extent, end + halo) };
  });
  const length = Math.max(...needed.map(({ begin, end }) => end - begin));
  return owns.map((own, i) => {
    const begin = Math.min(needed[i].begin, extent - length);
    return { own, crop: { begin, end: begin + length } };
  });
}

/**
 * Into how many blocks a volume is cut along each axis so that a crop has at most `most` voxels, and least is computed in all.
 * Undefined where crops of blocks of one voxel have more.
 */
export function countsFor(extents: Extents, halo: number, most: number): Extents | undefined {
  let best: { readonly counts: Extents; readonly voxels: number } | undefined;
  const [depths, heights, widths] = extents.map((extent) => cutsOf(extent, halo));
  for (const depth of depths) {
    for (const height of heights) {
      for (const width of widths) {
        const crop = depth.length * height.length * width.length;
        const voxels = crop * depth.count * height.count * width.count;
        if (crop > most || (best && best.voxels <= voxels)) continue;
        best = { counts: [depth.count, height.count, width.count], voxels };
      }
    }
  }
  return best?.counts;
}

/** Cuts along an axis: the whole, and those whose crops are shorter than those of fewer blocks. */
function cutsOf(extent: number, halo: number): readonly { readonly count: number; readonly length: number }[] {
  const cuts: { readonly count: number; readonly length: number }[] = [];
  for (let count = 1; count <= extent; count++) {
    const [{ crop }] = partsOf(extent, count, halo);
    const length = crop.end - crop.begin;
    if (length < (cuts.at(-1)?.length ?? Infinity)) cuts.push({ count, length });
  }
  return cuts;
}

export const extentsOf = (box: Box): Extents => {
  const [planes, rows, columns] = box.map(({ begin, end }) => end - begin);
  return [planes, rows, columns];
};

export const voxelsOf = ([planes, rows, columns]: Extents): number => planes * rows * columns;

/**
 * Values of a box of a volume as float32, row-major.
 *
 * @param own the box whose values are wanted; others within `box` become `other`. All are wanted when absent.
 */
export function cutBox(
  values: Float32Array | Uint8Array,
  [, height, width]: Extents,
  box: Box,
  { own = box, other = 0 }: { readonly own?: Box; readonly other?: number } = {},
): Float32Array<ArrayBuffer> {
  const [planes, rows, columns] = box;
  const cut = new Float32Array(voxelsOf(extentsOf(box))).fill(other);
  const rowLength = columns.end - columns.begin;
  for (let z = own[0].begin; z < own[0].end; z++) {
    for (let y = own[1].begin; y < own[1].end; y++) {
      const to = ((z - planes.begin) * (rows.end - rows.begin) + y - rows.begin) * rowLength - columns.begin;
      const from = (z * height + y) * width;
      cut.set(values.subarray(from + own[2].begin, from + own[2].end), to + own[2].begin);
    }
  }
  return cut;
}
