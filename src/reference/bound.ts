/**
 * How far a correct float32 result may lie from the float64 one.
 *
 * A sum of products errs by at most c * u * sum|products| to first order. u = 2^-24 is the unit roundoff of float32. c is the
 * most roundings that a product goes through on its way into the result: its own, and one for each addition (Higham,
 * "Accuracy and Stability of Numerical Algorithms", 2nd ed., sections 3.1 and 4.2; a fused multiply-add only lowers it).
 * Where K terms are added one after the other c is K. Solvers cut long sums ({@link longestChain}), so that c hardly grows
 * with K. sum|products| is the same pass over the absolute values.
 */
import type { ConvProblem } from "../problem/problem.js";
import { requireWord } from "../base/spelling.js";
import { DIRECTIONS, requireList, requireNumbers, requireOperands, requireProblem } from "./checks.js";
import type { PassDirection, PassOperands } from "./passes.js";
import { referencePass } from "./referencePass.js";

/** Unit roundoff of float32, 2^-24. */
export const UNIT_ROUNDOFF = 2 ** -24;

/**
 * The most products that one element of a pass sums. With a padding mode other than zeros an element's gradient also sums those
 * of its copies.
 */
export function termsOf(problem: ConvProblem, direction: PassDirection): number {
  requireProblem(problem);
  requireWord("direction", direction, DIRECTIONS);
  switch (direction) {
    case "forward":
      return problem.inChannelsPerGroup * problem.taps;
    case "inputGradient":
      return problem.outChannelsPerGroup * problem.taps * mostCopies(problem);
    case "weightGradient":
    case "biasGradient":
      return problem.batch * problem.outputPositions;
  }
}

/**
 * The most roundings that a product goes through on its way into a sum of `terms` products, whatever the solver. Up to 256
 * terms are added one after the other. Longer sums are cut into blocks of at most 256, and at most 128 blocks are added one
 * after the other. Still longer sums are split. Their parts are added in runs of 16, these in runs of 16, and these one after
 * the other, 2^20 terms or more each. Sums of more terms than every device binds may come in parts, which are added likewise.
 * (A device whose buffers cannot hold the parts of split sums gets fewer: src/solvers/shared/splits.ts.)
 */
export function longestChain(terms: number): number {
  if (terms <= BLOCK) return terms;
  const pieces = terms > LEAST_BOUND ? 2 * RUN + Math.ceil(terms / LEAST_BOUND) : 0;
  const parts = 2 * RUN + Math.ceil(terms / 2 ** 20) + pieces;
  return Math.min(terms, BLOCK + Math.min(MOST_BLOCKS, Math.ceil(terms / BLOCK)) + parts);
}

const BLOCK = 256;
const MOST_BLOCKS = 128;
const RUN = 16;
/** Float32 elements that every device binds: 128 MiB. */
const LEAST_BOUND = 2 ** 25;

/** The most places of the padded input that have the same element. */
function mostCopies({ paddingMode, padBegin, padEnd }: ConvProblem): number {
  const along = padBegin.map((begin, axis) => {
    const padding = Math.max(begin, 0) + Math.max(padEnd[axis], 0);
    return paddingMode === "zeros" ? 1 : paddingMode === "replicate" ? 1 + padding : Math.min(3, 1 + padding);
  });
  return along.reduce((product, copies) => product * copies, 1);
}

/** For each element of the result: `longestChain(terms) * 2^-24 * sum|terms|`, a bias and a residual adding a rounding each. */
export function errorBound(problem: ConvProblem, direction: PassDirection, operands: PassOperands): Float64Array {
  requireOperands(problem, direction, operands);
  const magnitudes: PassOperands = {
    x: absolute(operands.x),
    w: absolute(operands.w),
    dy: absolute(operands.dy),
    bias: absolute(operands.bias),
    residual: absolute(operands.residual),
  };
  const extras = [operands.bias, operands.residual].filter((extra) => extra !== undefined).length;
  const factor = (longestChain(termsOf(problem, direction)) + extras) * UNIT_ROUNDOFF;
  return referencePass(problem, direction, magnitudes).map((sum) => sum * factor);
}

function absolute(values: ArrayLike<number> | undefined): Float64Array | undefined {
  return values && Float64Array.from(values, Math.abs);
}

/** What {@link compare} found. */
export interface Comparison {
  /** True when every element is within its bound; NaN anywhere makes it false. */
  readonly pass: boolean;
  /** Largest |actual - expected|; NaN where an element is not a number. */
  readonly maxError: number;
  /** The bound of the element that came closest to (or went furthest past) its bound. */
  readonly bound: number;
  /** Index and error of that element. */
  readonly worstIndex: number;
  readonly worstError: number;
}

/** Compares element by element. An element fails unless `|actual - expected| <= bound` is true, so NaN fails. */
export function compare(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound: ArrayLike<number> | number,
): Comparison {
  requireList("actual", actual);
  requireList("expected", expected);
  if (typeof bound !== "number") requireNumbers("bound", bound, [expected.length]);
  const boundAt = typeof bound === "number" ? () => bound : (i: number) => bound[i];
  let pass = actual.length === expected.length;
  let maxError = 0;
  let worstIndex = 0;
  let worstError = 0;
  let worstBound = expected.length > 0 ? boundAt(0) : 0;
  let worstExcess = -Infinity;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    const limit = boundAt(i);
    if (!(error <= limit)) pass = false;
    if (!(error <= maxError)) maxError = error;
    const excess = limit > 0 ? error / limit : error > 0 ? Infinity : 0;
    if (!(excess <= worstExcess)) {
      worstExcess = excess;
      worstIndex = i;
      worstError = error;
      worstBound = limit;
      if (Number.isNaN(error)) return { pass: false, maxError: NaN, bound: limit, worstIndex, worstError };
    }
  }
  return { pass, maxError, bound: worstBound, worstIndex, worstError };
}
