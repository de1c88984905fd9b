/** Axes as callers name them. */
import { require, show } from "../../base/errors.js";

/** The axis from the front; negative ones count from the end. Throws for one that there is not. */
export function readAxis(axis: number, rank: number): number {
  const along = axis < 0 ? axis + rank : axis;
  require(Number.isSafeInteger(axis) && along >= 0 && along < rank, () => {
    return `axis is ${show(axis)}; expected an integer from ${String(-rank)} to ${String(rank - 1)}, for ${String(rank)} axes`;
  });
  return along;
}
