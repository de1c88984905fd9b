/** How large the tiles of a network are: as large as memory allows, since what lies around a tile is computed once more. */
import { LimitError, show } from "../../base/errors.js";
import { product } from "../../problem/geometry.js";
import type { Tiling as WholeTiling } from "./tiling.js";

/** What says what tiles cost. */
export type Tiling = Pick<WholeTiling, "extents" | "units" | "costOf" | "workOf">;

export interface ChosenTile {
  /** Extents of a tile of the result. */
  readonly sizes: readonly number[];
  /** That the largest tile takes. */
  readonly bytes: number;
}

/** Positions of the tile from which others are reckoned. */
const FIRST = 4096;
/** From a tile that is too large to the next one. */
const STEP = 0.9;
/** Squares that are computed from at most so many times the whole's positions are taken without a look at other tiles. */
const NEARLY_WHOLE = 1.25;

/**
 * Squares and cubes have least around them, unless that is nearly as far as the whole: nothing lies around a tile along an axis that it
 * spans. So slabs and columns are looked at, too, and what is computed from the fewest positions in all is taken.
 *
 * @param wanted extents that the caller says; they are rounded up to the units that layers need
 * @throws LimitError where no tile is so small, with the bytes that it takes.
 */
export function chooseTile(tiling: Tiling, maxBytes: number, wanted: readonly number[] | undefined): ChosenTile {
  const { extents, units } = tiling;
  const sizesOf = (longest: readonly number[]): readonly number[] =>
    extents.map((extent, axis) => Math.min(extent, units[axis] * Math.max(1, Math.ceil(longest[axis] / units[axis]))));
  const fit = (sizes: readonly number[]): ChosenTile | undefined => {
    const bytes = tiling.costOf(sizes);
    return typeof bytes === "number" && bytes <= maxBytes ? { sizes, bytes } : undefined;
  };
  if (wanted) {
    const sizes = sizesOf(wanted);
    return fit(sizes) ?? refuse(tiling, sizes, maxBytes, "a larger maxBytes, or a smaller tile");
  }
  const whole = fit(extents);
  if (whole) return whole;

  /** The largest tile with the same extent along the axes that are cut. What it takes grows nearly with its positions. */
  const largest = (isCut: readonly boolean[]): ChosenTile | undefined => {
    const tileOf = (edge: number): readonly number[] =>
      sizesOf(extents.map((extent, axis) => (isCut[axis] ? edge : extent)));
    const cut = extents.filter((_, axis) => isCut[axis]);
    const longest = Math.max(...cut);
    const spanned = product(extents) / product(cut);
    let edge = Math.max(1, Math.ceil((FIRST / spanned) ** (1 / cut.length)));
    while (edge < longest && typeof tiling.costOf(tileOf(edge)) === "string") edge *= 2;
    const cost = tiling.costOf(tileOf(edge));
    // Along axes that it spans a tile does not grow.
    const growing = Math.max(1, cut.filter((extent) => extent > edge).length);
    const growth = typeof cost === "number" ? (maxBytes / cost) ** (1 / growing) : 1;
    const least = growth >= 1 && typeof cost === "number" ? edge : 1;
    let [fitting, tooLarge] = [Math.min(edge * growth, longest), longest];
    let found = fit(tileOf(fitting));
    while (!found && fitting > least) {
      tooLarge = fitting;
      fitting = Math.max(fitting * STEP, least);
      found = fit(tileOf(fitting));
    }
    // What lies around a tile does not grow with it, so that a larger one may fit.
    while (found && tooLarge - fitting > Math.max(1, fitting * (1 - STEP))) {
      const middle = (fitting + tooLarge) / 2;
      const larger = fit(tileOf(middle));
      if (larger) [found, fitting] = [larger, middle];
      else tooLarge = middle;
    }
    return found && (fit(sizesOf(evenly(extents, found.sizes))) ?? found);
  };
  const enough = NEARLY_WHOLE * tiling.workOf(extents);
  let [best, leastWork]: [ChosenTile | undefined, number] = [undefined, Infinity];
  for (const isCut of cutsOf(extents.length)) {
    const found = largest(isCut);
    const work = found ? tiling.workOf(found.sizes) : Infinity;
    if (work < leastWork) [best, leastWork] = [found, work];
    if (leastWork <= enough) break;
  }
  return best ?? refuse(tiling, sizesOf(extents.map(() => 1)), maxBytes, "a larger maxBytes");
}

/** Which axes are cut: all of them first, then all but some. */
const cutsOf = (rank: number): readonly (readonly boolean[])[] =>
  Array.from({ length: 2 ** rank - 1 }, (_, spanned) =>
    Array.from({ length: rank }, (__, axis) => ((spanned >> axis) & 1) === 0),
  );

/** As many tiles of equal extents. */
const evenly = (extents: readonly number[], sizes: readonly number[]): readonly number[] =>
  extents.map((extent, axis) => extent / Math.ceil(extent / sizes[axis]));

function refuse(tiling: Tiling, sizes: readonly number[], maxBytes: number, remedy: string): never {
  const cost = tiling.costOf(sizes);
  if (typeof cost === "string") throw new LimitError(cost);
  const [bytes, most] = [cost, maxBytes].map((count) => count.toLocaleString("en"));
  throw new LimitError(`a tile of ${show([...sizes])} takes ${bytes} bytes; maxBytes is ${most}: expected ${remedy}`);
}
