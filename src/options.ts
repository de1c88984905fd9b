/** What a caller may say about a convolution, and how it is read into one value an axis. */
import { sameTotalPadding } from "./geometry.js";
import { require, show } from "./errors.js";
import type { Activation } from "./activation.js";
import type { Layout, TransposedWeightLayout, WeightLayout } from "./layout.js";
import type { PaddingMode } from "./padding.js";
import type { Tensor } from "./tensor.js";

/** One number for every axis, or one an axis ([h, w] in 2D). */
export type PerAxis = number | readonly number[];

/**
 * - a number: that many on every side;
 * - `[h, w]`: on both sides of each axis;
 * - `[[top, bottom], [left, right]]`: per side, where a negative value crops;
 * - `"valid"`: none;
 * - `"same"`: output is `ceil(input / stride)`, an odd total puts the extra zero at the end;
 * - `"same-lower"`: likewise, extra zero at the beginning.
 */
export type Padding = PerAxis | readonly (readonly [number, number])[] | "valid" | "same" | "same-lower";

/** Asks for one solver by name, with tuning constants if wanted. It runs, or the call throws. */
export type SolverChoice = string | { readonly name: string; readonly config?: Readonly<Record<string, number>> };

/** Hyperparameters that the forward pass and both gradients share. Meanings are PyTorch's. */
export interface ConvOptions {
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
  /** Applied after bias and residual; "none" when absent. In a gradient it needs {@link GradientOptions.output}. */
  readonly activation?: Activation;
  /** Names the solver instead of letting the engine choose. */
  readonly solver?: SolverChoice;
}

/** Hyperparameters are signed 32-bit integers in the shaders. */
const LARGEST = 2 ** 31 - 1;

/** Options of the forward pass. */
export interface ForwardOptions extends ConvOptions {
  /** One value an output channel, shape `[outChannels]`. Not consumed. */
  readonly bias?: Tensor;
  /** Added before the activation, shaped as the result: a skip connection. Not consumed. */
  readonly residual?: Tensor;
}

/** Options of the gradients. `dy` is always the gradient after the activation, where there is one. */
export interface GradientOptions extends ConvOptions {
  /**
   * The forward pass' output, where there is an activation: relu, leaky-relu, relu6, sigmoid and tanh take their
   * derivative from it. relu's is applied while dy is read, the others' in a pass over dy. Not consumed.
   */
  readonly output?: Tensor;
  /** The value that the activation was applied to: gelu and hard-swish need it instead. Not consumed. */
  readonly preActivation?: Tensor;
}

/** Where the output of a transposed convolution ends, which its input does not settle. At most one of the two. */
export interface TransposedSize {
  /** How much larger than the smallest possible the output is, at its end; below the stride. 0 when absent. */
  readonly outputPadding?: PerAxis;
  /** The output's spatial extents. */
  readonly outputSize?: readonly number[];
}

/** Reads a {@link PerAxis} of `rank` axes; each must be an integer of at least `minimum`. */
export function readPerAxis(name: string, value: PerAxis | undefined, rank: number, minimum: number): number[] {
  if (value === undefined) return new Array<number>(rank).fill(minimum);
  const list: readonly number[] = typeof value === "number" ? new Array<number>(rank).fill(value) : value;
  const isList: boolean = Array.isArray(list);
  const ok =
    isList && list.length === rank && list.every((v) => Number.isSafeInteger(v) && v >= minimum && v <= LARGEST);
  require(ok, () => {
    const range = `an integer of at least ${String(minimum)} and below 2^31`;
    return `${name} is ${show(value)}; expected ${range}, or ${String(rank)} of them, one an axis`;
  });
  return [...list];
}

/** One axis, as far as padding needs it. */
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
    return axes.map((axis) => sameTotalPadding(axis.input, axis, padding === "same-lower"));
  }
  const fail = (): string => `padding is ${show(padding)}; ${paddingRule(rank)}`;
  require(typeof padding === "number" || (Array.isArray(padding) && padding.length === rank), fail);
  const list: readonly unknown[] = typeof padding === "number" ? new Array<number>(rank).fill(padding) : padding;
  return list.map((entry, axis) => {
    const pair: unknown = typeof entry === "number" ? [entry, entry] : entry;
    require(Array.isArray(pair) && pair.length === 2, fail);
    const lowest = typeof entry === "number" ? 0 : -axes[axis].input;
    const [begin, end] = pair as [number, number];
    const whole = Number.isSafeInteger(begin) && Number.isSafeInteger(end);
    require(whole && Math.min(begin, end) >= lowest && Math.max(begin, end) <= LARGEST, fail);
    return [begin, end];
  });
}
