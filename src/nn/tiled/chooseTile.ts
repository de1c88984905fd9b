/** How large the tiles of a network are: as large as memory allows, since what lies around a tile is computed once more. */
import { LimitError, show } from "../../base/errors.js";
import type { Tiling as WholeTiling } from "./tiling.js";

/** What says what tiles cost. */
export type Tiling = Pick<WholeTiling, "extents" | "units" | "costOf">;

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

/**
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
  // Squares and cubes: least lies around them. What they take grows nearly with their area or volume.
  const longest = Math.max(...extents);
  const squareOf = (edge: number): readonly number[] => sizesOf(extents.map(() => edge));
  let edge = Math.ceil(FIRST ** (1 / extents.length));
  while (edge < longest && typeof tiling.costOf(squareOf(edge)) === "string") edge *= 2;
  const cost = tiling.costOf(squareOf(edge));
  // Along axes that it spans a tile does not grow.
  const growing = Math.max(1, extents.filter((extent) => extent > edge).length);
  const growth = typeof cost === "number" ? (maxBytes / cost) ** (1 / growing) : 1;
  const least = growth >= 1 && typeof cost === "number" ? edge : 1;
  for (let next = Math.min(edge * growth, longest); ; next = Math.max(next * STEP, least)) {
    const found = fit(squareOf(next));
    if (found) return fit(sizesOf(evenly(extents, found.sizes))) ?? found;
    if (next <= least) break;
  }
  return refuse(tiling, squareOf(1), maxBytes, "a larger maxBytes");
}

/** As many tiles of equal extents. */
const evenly = (extents: readonly number[], sizes: readonly number[]): readonly number[] =>
  extents.map((extent, axis) => extent / Math.ceil(extent / sizes[axis]));

function refuse(tiling: Tiling, sizes: readonly number[], maxBytes: number, remedy: string): never {
  const cost = tiling.costOf(sizes);
  if (typeof cost === "string") throw new LimitError(cost);
  const [bytes, most] = [cost, maxBytes].map((count) => count.toLocaleString("en"));
  throw new LimitError(`a tile of ${show([...sizes])} takes ${bytes} bytes; maxBytes is ${most}: expected ${remedy}`);
}
