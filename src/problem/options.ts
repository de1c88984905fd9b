/** Hyperparameters as callers give them, and how they are read into one value an axis. */
import { sameTotalPadding } from "./geometry.js";
import { require, show } from "../base/errors.js";
import { spellingHint } from "../base/spelling.js";
import type { NumberArray } from "../base/half.js";
import type { Layout, TransposedWeightLayout, WeightLayout } from "./layout.js";
import { listOf, type NumberList } from "../base/list.js";
import type { PaddingMode } from "./padding.js";

/** One number for every axis, or one an axis ([h, w] in 2D). */
export type PerAxis = number | NumberList;

/**
 * - a number: that many on every side;
 * - `[h, w]`: on both sides of each axis;
 * - `[[top, bottom], [left, right]]`: per side, where a negative value crops;
 * - `"valid"`: none;
 * - `"same"`: output is `ceil(input / stride)`, an odd total puts the extra zero at the end; of a transposed convolution
 *   it is `input * stride`;
 * - `"same-lower"`: likewise, extra zero at the beginning.
 */
export type Padding = PerAxis | readonly (readonly [number, number] | NumberArray)[] | "valid" | "same" | "same-lower";

/** What shapes a convolution, in the forward pass and both gradients. Meanings are PyTorch's. */
export interface Hyperparameters {
  /** S, 1 when absent. */
  readonly stride?: PerAxis;
  /** P, 0 when absent. */
  readonly padding?: Padding;
  /** D, 1 (contiguous filter) when absent. */
  readonly dilation?: PerAxis;
  /** Splits channels into independent groups; `groups = inChannels` is depthwise. 1 when absent. */
  readonly groups?: number;
  /** What lies beyond the edge; "zeros" when absent. */
  readonly paddingMode?: PaddingMode;
  /** Dimension order of input and output; "channels-first" when absent. */
  readonly layout?: Layout;
  /** Dimension order of the weight; "OIHW" (or its like in 1D and 3D) when absent. */
  readonly weightLayout?: WeightLayout | TransposedWeightLayout;
}

/** Hyperparameters are signed 32-bit integers in the shaders. */
const LARGEST = 2 ** 31 - 1;

/** Where the output of a transposed convolution ends, which its input leaves open. At most one of the two is given. */
export interface TransposedSize {
  /**
   * By how much the output is larger, at its end, than the smallest possible one. It is less than the stride, or than the
   * dilation. 0 when absent, and with padding "same".
   */
  readonly outputPadding?: PerAxis;
  /** The output's spatial extents: those that `outputPadding` can give; with padding "same" up to a stride below `input * stride`. */
  readonly outputSize?: NumberList;
}

export const SIZE_KEYS = { outputPadding: 1, outputSize: 1 } as const;

/** Reads a {@link PerAxis} of `rank` axes; each must be an integer of at least `minimum`. */
export function readPerAxis(name: string, value: PerAxis | undefined, rank: number, minimum: number): number[] {
  if (value === undefined) return new Array<number>(rank).fill(minimum);
  const list = typeof value === "number" ? new Array<number>(rank).fill(value) : [...(listOf(value) ?? [])];
  const isValid = (one: unknown): one is number => isBetween(one, minimum, LARGEST);
  require(list.length === rank && list.every(isValid), () => {
    const range = `an integer of at least ${String(minimum)} and below 2^31`;
    return `${name} is ${show(listOf(value) ?? value)}; expected ${range}, or ${String(rank)} of them, one an axis`;
  });
  return list;
}

const isBetween = (value: unknown, low: number, high: number): boolean =>
  Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high;

/** What padding needs to know of one axis. */
export interface PaddedAxis {
  readonly input: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
}

const paddingRule = (rank: number): string =>
  `expected an integer of at least 0, ${String(rank)} of them, ${String(rank)} pairs [begin, end] of integers (negative ones crop), "valid", "same" or "same-lower"`;

/** Resolves a {@link Padding} into [begin, end] for each axis. */
export function readPadding(padding: Padding | undefined, axes: readonly PaddedAxis[]): [number, number][] {
  const rank = axes.length;
  if (padding === undefined || padding === "valid") return axes.map(() => [0, 0]);
  if (padding === "same" || padding === "same-lower") {
    return axes.map(({ input, kernel, stride, dilation }) => {
      return sameTotalPadding(input, { kernel, stride, dilation }, padding === "same-lower");
    });
  }
  const fail = (): string => {
    const hint = spellingHint("padding", padding, ["valid", "same", "same-lower"]);
    return `padding is ${show(listOf(padding) ?? padding)}; ${paddingRule(rank)}${hint}`;
  };
  const list = typeof padding === "number" ? new Array<number>(rank).fill(padding) : [...(listOf(padding) ?? [])];
  require(list.length === rank, fail);
  return list.map((entry, axis) => {
    const pair = typeof entry === "number" ? [entry, entry] : listOf(entry);
    const lowest = typeof entry === "number" ? 0 : -axes[axis].input;
    const isValid = (side: unknown): boolean => isBetween(side, lowest, LARGEST);
    require(pair?.length === 2 && isValid(pair[0]) && isValid(pair[1]), fail);
    return [pair[0], pair[1]] as [number, number];
  });
}
