/** Losses of each element by itself: a term, summed or not, and the gradients of its operands. */
import { require, show } from "../../../base/errors.js";
import { type OptionKeys, optionKeys, requireOptions } from "../../../base/optionKeys.js";
import { requireWord } from "../../../base/spelling.js";
import { type Layout, readLayout } from "../../../problem/layout.js";
import { requireSameShape } from "../../../problem/shapes.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { requireBroadcast } from "../../core/broadcast.js";
import { requireDType, specOf } from "../../core/operation.js";
import type { Term } from "../../core/terms.js";
import { recordStep } from "../../tape/step.js";
import { runElementwise } from "../elementwise.js";
import { runReduce } from "../reduce.js";
import { type LossReduction, REDUCTIONS } from "./classRows.js";

export interface LossOptions {
  /** "mean" over all elements, when absent; "sum"; or "none", a loss for each element. */
  readonly reduction?: LossReduction;
}

export interface HuberOptions extends LossOptions {
  /** Where the loss turns from a square to a line; 1 when absent. Above 0. */
  readonly delta?: number;
}

export interface SmoothL1Options extends LossOptions {
  /** Where the loss turns from a square to a line; 1 when absent. At least 0, where it is the L1 loss. */
  readonly beta?: number;
}

export interface BinaryCrossEntropyOptions extends LossOptions {
  /** How much the positive part of each loss counts: shaped as the logits, or broadcast to them, `[C]` say. 1 when absent. Not consumed. */
  readonly posWeight?: Tensor;
  /** Which axis a `posWeight` of one axis lies along. "channels-first" when absent. */
  readonly layout?: Layout;
}

const LOSS_OPTIONS = optionKeys<LossOptions>({ reduction: 1 }, { string: "reduction" });
const HUBER_OPTIONS = optionKeys<HuberOptions>({ reduction: 1, delta: 1 }, { string: "reduction", number: "delta" });
const SMOOTH_L1_OPTIONS = optionKeys<SmoothL1Options>(
  { reduction: 1, beta: 1 },
  { string: "reduction", number: "beta" },
);
const BINARY_OPTIONS = optionKeys<BinaryCrossEntropyOptions>(
  { reduction: 1, posWeight: 1, layout: 1 },
  { string: "reduction", tensor: "posWeight" },
);

/**
 * The mean squared error, `(x - target)^2`. The result is float32 and `[1]`, or shaped as x with reduction "none".
 *
 * @throws ArgumentError where shapes, types or options do not fit.
 */
export function mseLoss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  return ofDifference("mseLoss", ["square", "squareGradient"], x, target, options, LOSS_OPTIONS);
}

/** `|x - target|`, as {@link mseLoss}. Its gradient where they are equal is 0. */
export function l1Loss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  return ofDifference("l1Loss", ["magnitude", "magnitudeGradient"], x, target, options, LOSS_OPTIONS);
}

/** Huber's loss of d = x - target, as {@link mseLoss}: `d^2 / 2` up to `|d| = delta`, `delta * (|d| - delta / 2)` beyond. */
export function huberLoss(x: Tensor, target: Tensor, options: HuberOptions = {}): Tensor {
  requireOptions(options, HUBER_OPTIONS);
  const { delta = 1 } = options;
  require(delta > 0 && Number.isFinite(Math.fround(delta)), () => `delta is ${show(delta)}; expected a number above 0`);
  return ofDifference("huberLoss", HUBER, x, target, options, HUBER_OPTIONS, { delta });
}

/** {@link huberLoss} of delta = beta, divided by beta: its line has the slope of {@link l1Loss}. */
export function smoothL1Loss(x: Tensor, target: Tensor, options: SmoothL1Options = {}): Tensor {
  requireOptions(options, SMOOTH_L1_OPTIONS);
  const { beta = 1, reduction = "mean" } = options;
  require(beta >= 0 && Number.isFinite(Math.fround(beta)), () => {
    return `beta is ${show(beta)}; expected a number of at least 0`;
  });
  if (beta === 0) return l1Loss(x, target, { reduction });
  return ofDifference("smoothL1Loss", HUBER, x, target, options, SMOOTH_L1_OPTIONS, { delta: beta, scale: 1 / beta });
}

const HUBER: readonly [Term, Term] = ["huber", "huberGradient"];

/**
 * The binary cross-entropy of logits x and targets t from 0 to 1, of p = 1 / (1 + exp(-x)), as {@link mseLoss}:
 * `-(posWeight * t * log(p) + (1 - t) * log(1 - p))`, computed without p, so that no logarithm overflows.
 */
export function bceWithLogits(x: Tensor, target: Tensor, options: BinaryCrossEntropyOptions = {}): Tensor {
  requireOptions(options, BINARY_OPTIONS);
  const { posWeight = 1 } = options;
  const layout = readLayout(options.layout);
  if (typeof posWeight !== "number") {
    requireBroadcast("posWeight", specOf(posWeight, "posWeight").shape, specOf(x, "x").shape, layout);
    requireDType("posWeight", posWeight, specOf(x, "x").dtype, "x");
  }
  return elementwiseLoss([x, target, posWeight], options, {
    name: "bceWithLogits",
    term: "crossEntropy",
    gradients: [["logitGradient"], ["targetGradient"]],
    layout,
  });
}

function ofDifference(
  name: string,
  [term, gradient]: readonly [Term, Term],
  x: Tensor,
  target: Tensor,
  options: LossOptions,
  known: OptionKeys,
  { delta = 0, scale = 1 }: { readonly delta?: number; readonly scale?: number } = {},
): Tensor {
  requireOptions(options, known);
  const gradients = [[gradient], [gradient, -1]] as const;
  return elementwiseLoss([x, target], options, { name, term, gradients, delta, scale, layout: "channels-first" });
}

/** The term of a loss; and by x and by the target the terms of their gradients, with the sign. */
interface LossTerm {
  readonly name: string;
  readonly term: Term;
  readonly gradients: readonly [GradientRule, GradientRule];
  readonly layout: Layout;
  readonly delta?: number;
  readonly scale?: number;
}
type GradientRule = readonly [term: Term, sign?: 1 | -1];

/** @param given x, the target, and what else the term has; gradients flow to the first two, their terms have dloss behind these */
function elementwiseLoss(
  given: readonly [Tensor, Tensor, ...(Tensor | number)[]],
  { reduction = "mean" }: LossOptions,
  { name, term, gradients, layout, delta = 0, scale = 1 }: LossTerm,
): Tensor {
  const [x, target] = given;
  const { shape, dtype } = specOf(x, "x");
  specOf(target, "target");
  requireSameShape("target", target.shape, shape, "the shape of x");
  requireDType("target", target, dtype, "x");
  requireWord("reduction", reduction, REDUCTIONS);
  const factor = reduction === "mean" ? scale / x.size : scale;
  const common = { name, term, delta, layout, scale: factor, dtype: "float32" } as const;
  const loss =
    reduction === "none"
      ? runElementwise(given, { ...common, shape })
      : runReduce(given, { ...common, whole: shape, over: shape.map((_, axis) => axis), shape: [1] });
  recordStep({
    name,
    inputs: [x, target],
    outputs: [loss],
    saved: given.filter((one) => typeof one !== "number"),
    backward: ([dloss], needed) =>
      gradients.map(([gradient, sign = 1], i) => {
        if (!dloss || !needed[i]) return undefined;
        const parts = { name: `gradient of ${name}`, term: gradient, delta, layout, scale: sign * factor };
        return runElementwise([...given, dloss], { ...parts, shape, dtype });
      }),
  });
  return loss;
}
