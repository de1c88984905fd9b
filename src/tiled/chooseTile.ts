/** Which tiles a result is cut into: those that compute least beyond the whole's work, within the memory that there is. */
import { LimitError, show } from "../base/errors.js";
import { product } from "../problem/geometry.js";
import type { Partitions } from "./partition.js";

/** In how many parts axes but the outermost one are tried to be cut. */
const PARTS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/** How much less work must be for more cuts to be taken: each cut makes rows shorter. */
const WORTH = 0.97;
/** How much of the memory is tried for, where a tile at an edge turns out to be larger than one in the middle. */
const TRIES = [1, 0.95, 0.85, 0.7, 0.5, 0.25];

const inUnits = (size: number, unit: number, extent: number): number =>
  Math.min(extent, unit * Math.max(1, Math.ceil(size / unit)));

/**
 * Extents of tiles.
 *
 * @param wanted extents that the caller says; they are rounded up to the units that layers need
 * @throws LimitError where no tile is so small, with the bytes that it takes.
 */
export function chooseTile(
  partitions: Partitions,
  maxBytes: number,
  wanted: readonly number[] | undefined,
): readonly number[] {
  const { extents, units } = partitions;
  if (wanted) {
    const sizes = wanted.map((size, axis) => inUnits(size, units[axis], extents[axis]));
    return checked(partitions, sizes, maxBytes, "a larger maxBytes, or a smaller tile");
  }
  for (const share of TRIES) {
    const sizes = best(partitions, share * maxBytes);
    const cost = sizes && partitions.costOfAll(sizes);
    if (sizes && typeof cost === "object" && cost.bytes <= maxBytes) return sizes;
  }
  const smallest = units.map((unit, axis) => Math.min(unit, extents[axis]));
  return checked(partitions, smallest, maxBytes, "a larger maxBytes");
}

function checked(
  partitions: Partitions,
  sizes: readonly number[],
  maxBytes: number,
  remedy: string,
): readonly number[] {
  const cost = partitions.costOfAll(sizes);
  if (typeof cost === "string") throw new LimitError(cost);
  if (cost.bytes <= maxBytes) return sizes;
  const [bytes, most] = [cost.bytes, maxBytes].map((count) => count.toLocaleString("en"));
  throw new LimitError(`a tile of ${show([...sizes])} takes ${bytes} bytes; maxBytes is ${most}: expected ${remedy}`);
}

/** Tiles by number of cuts; undefined where none is found. */
function best(partitions: Partitions, maxBytes: number): readonly number[] | undefined {
  let found: { readonly sizes: readonly number[]; readonly work: number } | undefined;
  for (const inner of innerParts(partitions)) {
    const sizes = outermost(partitions, inner, maxBytes);
    if (!sizes) continue;
    const work = partitions.work(sizes);
    if (!found || work < WORTH * found.work) found = { sizes, work };
    else if (work > found.work / WORTH) break;
  }
  return found?.sizes;
}

/** Sizes of the axes but the outermost one, from few parts to many. */
function innerParts({ extents, evenUnits }: Partitions): readonly (readonly number[])[] {
  let combinations: readonly (readonly number[])[] = [[]];
  for (const extent of extents.slice(1)) {
    const able = PARTS.filter((parts) => parts === 1 || parts <= extent);
    combinations = combinations.flatMap((parts) => able.map((count) => [...parts, count]));
  }
  return [...combinations]
    .sort((one, other) => product(one) - product(other))
    .map((counts) => counts.map((parts, i) => inUnits(extents[i + 1] / parts, evenUnits[i + 1], extents[i + 1])));
}

/** The longest tile along the outermost axis; undefined where none is within `maxBytes`. */
function outermost(partitions: Partitions, inner: readonly number[], maxBytes: number): readonly number[] | undefined {
  const [extent] = partitions.extents;
  const fits = (size: number): boolean => {
    const cost = partitions.costWithin([size, ...inner]);
    return typeof cost === "object" && cost.bytes <= maxBytes;
  };
  if (fits(extent)) return [extent, ...inner];
  const units = [partitions.evenUnits[0], partitions.units[0]];
  for (const unit of new Set(units)) {
    if (unit >= extent || !fits(unit)) continue;
    let [low, high] = [1, Math.ceil(extent / unit)];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (fits(middle * unit)) low = middle;
      else high = middle;
    }
    const parts = Math.ceil(extent / (low * unit));
    return [inUnits(extent / parts, unit, extent), ...inner];
  }
  return undefined;
}
