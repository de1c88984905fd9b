/** Problems for who describes them by hand: as the engine's own, with options that are no problem's refused. */
import type { NumberList } from "../base/list.js";
import type { TransposedSize } from "../problem/options.js";
import * as engine from "../problem/problem.js";
import type { ConvProblem, Rank } from "../problem/problem.js";
import { makeTransposedProblem as makeTransposed } from "../problem/transposed.js";
import { PROBLEM_OPTIONS, type ProblemOptions, requireProblemOptions, TRANSPOSED_PROBLEM_OPTIONS } from "./checks.js";

/**
 * A convolution, validated, with everything derived.
 *
 * @param inputShape `[batch, inChannels, ...spatial]`, or as `options.layout` says; without the batch for one sample
 * @param weightShape `[outChannels, inChannels / groups, ...kernel]`, or as `options.weightLayout` says
 * @throws ArgumentError naming the rule and the values.
 */
export function makeProblem(
  rank: Rank,
  inputShape: NumberList,
  weightShape: NumberList,
  options: ProblemOptions = {},
): ConvProblem {
  requireProblemOptions(rank, options, PROBLEM_OPTIONS);
  return engine.makeProblem(rank, inputShape, weightShape, options);
}

/** Likewise with filters of their own at each output position: weight `[...output, outChannels, inChannels / groups, ...kernel]`. */
export function makeUnsharedProblem(
  rank: Rank,
  inputShape: NumberList,
  weightShape: NumberList,
  options: ProblemOptions = {},
): ConvProblem {
  requireProblemOptions(rank, options, PROBLEM_OPTIONS);
  return engine.makeUnsharedProblem(rank, inputShape, weightShape, options);
}

/**
 * The convolution of which this transposed convolution is the input gradient.
 *
 * @param inputShape of the transposed convolution's x, `[N, in, ...spatial]`; without N for one sample
 * @param weightShape `[in, out / groups, ...kernel]`, or as `options.weightLayout` says ("IOHW" and its like)
 * @throws ArgumentError naming the rule and the values.
 */
export function makeTransposedProblem(
  rank: Rank,
  inputShape: NumberList,
  weightShape: NumberList,
  options: ProblemOptions & TransposedSize = {},
): ConvProblem {
  requireProblemOptions(rank, options, TRANSPOSED_PROBLEM_OPTIONS);
  return makeTransposed(rank, inputShape, weightShape, options);
}

/** Output shape of the forward pass: `[N, out, ...spatial]`. */
export function outputShapeOf(
  rank: Rank,
  inputShape: NumberList,
  weightShape: NumberList,
  options: ProblemOptions = {},
): readonly number[] {
  return makeProblem(rank, inputShape, weightShape, options).outputShape;
}
