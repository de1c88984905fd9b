/** What both passes by rolling windows share: how large windows are, and which layers they suit. */
import type { ConvProblem } from "../../problem/problem.js";
import { countRefusal } from "../shared/constants.js";
import type { WindowShape } from "../shared/registers.js";

/** Sources and weights that a thread keeps, values it loads for a row, unrolled steps: compile time grows with them. */
const MOST = { window: 96, weights: 75, loads: 32, steps: 320 };

/** A filter as windows walk over sources with it. */
export type WalkedFilter = Pick<ConvProblem, "rank" | "kernel" | "stride" | "dilation">;

/** Rows and columns of sources that so many results of a row read. */
export function windowSize({ kernel, stride, dilation }: WalkedFilter, columns: number) {
  return {
    height: (kernel[1] - 1) * dilation[1] + 1,
    width: (columns - 1) * stride[2] + (kernel[2] - 1) * dilation[2] + 1,
  };
}

/** Why no thread can have this configuration, or this problem; undefined when one can. */
export function configRefusal({ rank }: WalkedFilter, config: WindowShape): string | undefined {
  return countRefusal({ ...config }) ?? (rank > 2 ? `rank is ${String(rank)}; windows roll over planes` : undefined);
}

/** Why windows save a layer nothing: those of neighbouring rows share no source. Undefined when they do. */
export function overlapRefusal(filter: WalkedFilter): string | undefined {
  const { height } = windowSize(filter, 1);
  const [, stride] = filter.stride;
  return stride >= height ? `windows of ${String(height)} rows at stride ${String(stride)} do not overlap` : undefined;
}

/**
 * Shapes, with those first that load the fewest values a result. Results beyond the end of a row do not count.
 *
 * @param width of a row of results
 * @param loadsOf values loaded for a row of a thread
 */
export function byLoads(
  shapes: readonly WindowShape[],
  width: number,
  loadsOf: (shape: WindowShape) => number,
): readonly WindowShape[] {
  const cost = (shape: WindowShape): number => {
    const useful = width / (shape.columns * Math.ceil(width / shape.columns));
    return loadsOf(shape) / (shape.mPerThread * shape.columns * useful);
  };
  return [...shapes].sort((one, other) => cost(one) - cost(other));
}

interface Size {
  readonly what: string;
  readonly size: number;
  readonly most: keyof typeof MOST;
}

/** The first size that is too large, in words; undefined where none is. */
export function sizeRefusal(sizes: readonly Size[]): string | undefined {
  const tooLarge = sizes.find(({ size, most }) => size > MOST[most]);
  return tooLarge && `${String(tooLarge.size)} ${tooLarge.what}; at most ${String(MOST[tooLarge.most])}`;
}
