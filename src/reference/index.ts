/**
 * `webgpu-conv/reference`: the convolution passes in plain float64 loops. Slow and simple on purpose: it
 * is what GPU results are compared with, and shares nothing with them but the problem's description.
 *
 * ```ts
 * import { makeProblem, forward, errorBound, compare } from "webgpu-conv/reference";
 * const problem = makeProblem(2, [1, 3, 7, 7], [2, 3, 3, 3], { padding: 1, stride: 2 });
 * const expected = forward(problem, x, w);
 * const verdict = compare(actual, expected, errorBound(problem, "forward", { x, w }));
 * ```
 */
export type { ConvProblem, Rank, Triple } from "../problem/problem.js";
export type { ProblemOptions } from "./checks.js";
export { makeProblem, makeTransposedProblem, makeUnsharedProblem, outputShapeOf } from "./problems.js";
export { forward } from "./forward.js";
export type { ForwardExtras } from "./passes.js";
export { inputGradient } from "./inputGradient.js";
export { biasGradient, weightGradient } from "./weightGradient.js";
export { activationGradient, applyActivation, type Channels, maskByOutput, slopeGradient } from "./activations.js";
export type { ReferenceActivation } from "./passes.js";
export { compare, type Comparison, errorBound, longestChain, termsOf, UNIT_ROUNDOFF } from "./bound.js";
export type { PassDirection, PassOperands } from "./passes.js";
export { referencePass } from "./referencePass.js";
export { winogradErrorBound } from "./winograd.js";
export { unsharedForward, unsharedInputGradient, unsharedWeightGradient } from "./unshared.js";
