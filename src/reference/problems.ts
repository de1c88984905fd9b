/** Problems as callers describe them: made as the engine's are, after unknown options were refused. */
import type { NumberList } from "../base/list.js";
import type { OptionKeys } from "../base/optionKeys.js";
import type { TransposedSize } from "../problem/options.js";
import * as engine from "../problem/problem.js";
import type { ConvProblem, Rank } from "../problem/problem.js";
import { makeUnsharedProblem as makeUnshared } from "../problem/unshared.js";
import { makeTransposedProblem as makeTransposed } from "../problem/transposed.js";
import { PROBLEM_OPTIONS, type ProblemOptions, requireProblemOptions, TRANSPOSED_PROBLEM_OPTIONS } from "./checks.js";

type AllOptions = ProblemOptions & TransposedSize;
type MakeProblem<Options> = (
  rank: Rank,
  inputShape: NumberList,
  weightShape: NumberList,
  options?: Options,
) => ConvProblem;

/** The engine's `make`, which ignores unknown options, with a check that refuses them. */
function checked(known: OptionKeys, make: (...args: Required<Parameters<MakeProblem<AllOptions>>>) => ConvProblem) {
  return (rank: Rank, inputShape: NumberList, weightShape: NumberList, options: AllOptions = {}): ConvProblem => {
    requireProblemOptions(rank, options, known);
    return make(rank, inputShape, weightShape, options);
  };
}

/**
 * A convolution, validated, with everything derived.
 *
 * @param inputShape `[batch, inChannels, ...spatial]`, or as `options.layout` says; without the batch for one sample
 * @param weightShape `[outChannels, inChannels / groups, ...kernel]`, or as `options.weightLayout` says
 * @throws ArgumentError naming the rule and the values.
 */
export const makeProblem: MakeProblem<ProblemOptions> = checked(PROBLEM_OPTIONS, engine.makeProblem);

/** Likewise with filters of their own at each output position: weight `[...output, outChannels, inChannels / groups, ...kernel]`. */
export const makeUnsharedProblem: MakeProblem<ProblemOptions> = checked(PROBLEM_OPTIONS, makeUnshared);

/**
 * The convolution of which this transposed convolution is the input gradient.
 *
 * @param inputShape of the transposed convolution's x, `[N, in, ...spatial]`; without N for one sample
 * @param weightShape `[in, out / groups, ...kernel]`, or as `options.weightLayout` says ("IOHW" and its like)
 * @throws ArgumentError naming the rule and the values.
 */
export const makeTransposedProblem: MakeProblem<ProblemOptions & TransposedSize> = checked(
  TRANSPOSED_PROBLEM_OPTIONS,
  makeTransposed,
);

/** Output shape of the forward pass: `[N, out, ...spatial]`. */
export function outputShapeOf(
  rank: Rank,
  inputShape: NumberList,
  weightShape: NumberList,
  options: ProblemOptions = {},
): readonly number[] {
  return makeProblem(rank, inputShape, weightShape, options).outputShape;
}
