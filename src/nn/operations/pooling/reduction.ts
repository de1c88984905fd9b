/** Reductions over all positions in one dispatch or several: the results of parts are the positions of the next. */
import type { Capabilities } from "../../../planning/capabilities.js";
import { foldWorkgroups, type Workgroups } from "../../../planning/solver.js";
import { product } from "../../../problem/geometry.js";
import { powerOfTwo, THREADS } from "../../core/elements.js";
import type { Volumes } from "../../core/volumes.js";

/** Rows that neighbouring threads read where channels are last: as many values lie side by side. */
const MOST_ROWS = 16;
/** The longest chain of additions of a thread. */
const MOST_TERMS = 128;
/** So many are worth a dispatch more, where it takes that to occupy a device. */
const FEWEST_TERMS = 8;
const ENOUGH_WORKGROUPS = 256;

/** One dispatch. */
export interface Reduction {
  readonly constants: { readonly LANES: number; readonly CHANNELS_LAST: boolean };
  readonly uniforms: {
    readonly rows: number;
    readonly positions: number;
    readonly inner: number;
    readonly parts: number;
    readonly partPositions: number;
  };
  readonly workgroups: Workgroups;
  /** Results: a row's parts. */
  readonly results: number;
  readonly isFirst: boolean;
  /** Whether it has the result of all positions. */
  readonly isLast: boolean;
}

export const positionsOf = ({ size }: Volumes): number => product(size);

/** The dispatches that reduce all positions of each row, a channel of a sample, to one result. */
export function reductionsOver(volumes: Volumes, capabilities: Capabilities): Reduction[] {
  const { outer, inner } = volumes;
  const isLast = volumes.layout === "channels-last";
  const rows = outer * inner;
  const reductions: Reduction[] = [];
  let positions = positionsOf(volumes);
  do {
    const rowsAtOnce = isLast
      ? Math.min(MOST_ROWS, powerOfTwo(inner))
      : THREADS / Math.min(THREADS, powerOfTwo(positions));
    const lanes = THREADS / rowsAtOnce;
    const tiles = Math.ceil(rows / rowsAtOnce);
    const wanted = Math.ceil(ENOUGH_WORKGROUPS / tiles);
    const parts = Math.max(
      Math.ceil(positions / (lanes * MOST_TERMS)),
      Math.min(wanted, Math.ceil(positions / (lanes * FEWEST_TERMS))),
    );
    const partPositions = Math.ceil(positions / parts);
    reductions.push({
      constants: { LANES: lanes, CHANNELS_LAST: isLast },
      uniforms: { rows, positions, inner, parts, partPositions },
      workgroups: foldWorkgroups(tiles * parts, capabilities),
      results: rows * parts,
      isFirst: reductions.length === 0,
      isLast: parts === 1,
    });
    positions = parts;
  } while (positions > 1);
  return reductions;
}

/** Scratch memory that a dispatch writes its parts to; the next one reads them there. */
export const scratchOf = (i: number): "partials" | "sums" => (i % 2 === 0 ? "partials" : "sums");

/** Bytes of all scratch memory. */
export function scratchBytesOf(reductions: readonly Reduction[], bytesPerResult: number): Record<string, number> {
  const bytes: Record<string, number> = {};
  for (const [i, { results, isLast }] of reductions.entries()) {
    if (!isLast) bytes[scratchOf(i)] = Math.max(bytes[scratchOf(i)] ?? 0, results * bytesPerResult);
  }
  return bytes;
}
