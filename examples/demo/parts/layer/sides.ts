/** How a gradient's source reaches beyond the tensor it is made of: on which side by how much, or how much is cut off. */
import { leftOver } from "./fit.js";
import type { Layer } from "./numbers.js";

/** Rows and columns put around a tensor, above and left of it, and below and right of it; cut off where negative. */
export interface Sides {
  readonly begin: number;
  readonly end: number;
}

type Extents = Pick<Layer, "W" | "F" | "S" | "P" | "D" | "mode">;

/** Whether padding is copied from the input, so that a copy's gradient goes to what it copies. */
export const folds = ({ P, mode }: Pick<Layer, "P" | "mode">): boolean => mode !== "zeros" && P > 0;

/** Of dy, spread by the stride, for the input's gradient: `D(F − 1) − P` and what the windows left over at the end. */
export function sidesOfDy(layer: Extents): Sides {
  const { F, P, D } = layer;
  // The padded input's gradient is computed where it is folded back.
  const begin = D * (F - 1) - (folds(layer) ? 0 : P);
  return { begin, end: begin + leftOver(layer) };
}

/** Of the input, for the weights' gradient: what no window reached has no part in it. */
export const sidesOfX = (layer: Extents): Sides => ({ begin: layer.P, end: layer.P - leftOver(layer) });
