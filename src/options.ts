/** What a caller may say about a convolution, and how it is read into one value an axis. */
import { sameTotalPadding } from "./geometry.js";
import { require, show } from "./errors.js";
import { optionKeys, requireOptions } from "./optionKeys.js";
import { spellingHint } from "./spelling.js";
import type { Activation } from "./activation.js";
import type { NumberArray } from "./half.js";
import type { Layout, TransposedWeightLayout, WeightLayout } from "./layout.js";
import { listOf, type NumberList } from "./list.js";
import type { PaddingMode } from "./padding.js";
import type { Tensor } from "./tensor.js";

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

export const CONV_KEYS = {
  stride: 1,
  padding: 1,
  dilation: 1,
  groups: 1,
  paddingMode: 1,
  layout: 1,
  weightLayout: 1,
  activation: 1,
  solver: 1,
} as const;

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
   * The forward pass' output, where there is an activation: relu, relu6, clamp, leaky-relu, elu, sigmoid, hard-sigmoid
   * and tanh take their derivative from it. relu's is applied while dy is read, the others' in a pass over dy. Not consumed.
   */
  readonly output?: Tensor;
  /**
   * The value that the activation was applied to: gelu, hard-swish, silu, softplus and prelu need it instead, and leaky-relu
   * and elu where they fall below 0. Not consumed.
   */
  readonly preActivation?: Tensor;
}

/** Options of `conv2dBackward` and its like. */
export interface BackwardOptions extends Omit<GradientOptions, "solver"> {
  /** One solver by a name that both kernels have, or one for each of them; the engine chooses where none is named. */
  readonly solver?: SolverChoice | BackwardSolvers;
}

/** A solver for each kernel of `conv2dBackward`: that of the input gradient, and that of the weight (and bias) gradient. */
export interface BackwardSolvers {
  readonly input?: SolverChoice | undefined;
  readonly weight?: SolverChoice | undefined;
}

/** Where the output of a transposed convolution ends, which its input does not settle. At most one of the two. */
export interface TransposedSize {
  /**
   * How much larger than the smallest possible the output is, at its end; below the stride or below the dilation. 0 when
   * absent, and with padding "same".
   */
  readonly outputPadding?: PerAxis;
  /** The output's spatial extents: those that `outputPadding` can give; with padding "same" up to a stride below `input * stride`. */
  readonly outputSize?: NumberList;
}

const FORWARD_KEYS = { ...CONV_KEYS, bias: 1, residual: 1 } as const;
const GRADIENT_KEYS = { ...CONV_KEYS, output: 1, preActivation: 1 } as const;
export const SIZE_KEYS = { outputPadding: 1, outputSize: 1 } as const;
const FORWARD_BARE = { number: "stride", tensor: "bias" };
const GRADIENT_BARE = { number: "stride", tensor: "output" };

export const FORWARD_OPTIONS = optionKeys<ForwardOptions>(FORWARD_KEYS, FORWARD_BARE);
export const GRADIENT_OPTIONS = optionKeys<GradientOptions>(GRADIENT_KEYS, GRADIENT_BARE);
export const TRANSPOSED_OPTIONS = optionKeys<ForwardOptions & TransposedSize>(
  { ...FORWARD_KEYS, ...SIZE_KEYS },
  FORWARD_BARE,
);
export const TRANSPOSED_GRADIENT_OPTIONS = optionKeys<GradientOptions & TransposedSize>(
  { ...GRADIENT_KEYS, ...SIZE_KEYS },
  GRADIENT_BARE,
);
const SOLVER_KEYS = optionKeys<Exclude<SolverChoice, string>>({ name: 1, config: 1 });
const BACKWARD_SOLVER_KEYS = optionKeys<BackwardSolvers>({ input: 1, weight: 1 });

/** Checks what asks for a solver; whether there is one of that name, and what constants it has, planning tells. */
export function readSolver(choice: SolverChoice | undefined, what = "solver"): SolverChoice | undefined {
  if (choice === undefined || typeof choice === "string") return choice;
  require(typeof choice === "object" && (choice as unknown) !== null, () => {
    return `${what} is ${show(choice)}; expected a solver's name, or { name, config }`;
  });
  requireOptions(choice, SOLVER_KEYS, what);
  const { name, config } = choice;
  require(typeof name === "string", () => `${what} has the name ${show(name)}; expected a solver's name`);
  const isRecord = Object.prototype.toString.call(config) === "[object Object]";
  require(config === undefined ||
    (isRecord && Object.values(config).every((value) => typeof value === "number")), () => {
    return `${what} has the config ${show(config)}; expected an object of numbers`;
  });
  return choice;
}

/** The solvers of the two kernels of `conv2dBackward`. */
export function readBackwardSolvers(solver: BackwardOptions["solver"]): BackwardSolvers {
  if (isForBoth(solver)) {
    const both = readSolver(solver);
    return { input: both, weight: both };
  }
  requireOptions(solver, BACKWARD_SOLVER_KEYS, "solver");
  return { input: readSolver(solver.input, "solver.input"), weight: readSolver(solver.weight, "solver.weight") };
}

function isForBoth(solver: BackwardOptions["solver"]): solver is SolverChoice | undefined {
  const given: unknown = solver;
  if (typeof given !== "object" || given === null) return true;
  return "name" in given || "config" in given;
}

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
