/**
 * The convolution's definition, written out as loops over the formula alone: slow, without a thought for speed,
 * and sharing nothing with the library. Tests compare the reference with it.
 */
import type { ConvOptions } from "webgpu-conv";
import { makeProblem, type Rank } from "webgpu-conv/reference";
import type { ConvProblem } from "../../src/problem/problem.js";

/** One product of the sum: y[yIndex] += w[wIndex] * x[xIndex]. */
type UseProduct = (yIndex: number, wIndex: number, xIndex: number) => void;

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** All index tuples below `extents`, with their row-major positions. */
function* cells(extents: readonly number[]): Generator<readonly number[]> {
  if (extents.length === 0) {
    yield [];
    return;
  }
  const [first, ...rest] = extents;
  for (const i of range(first)) for (const tail of cells(rest)) yield [i, ...tail];
}

const flat = (at: readonly number[], extents: readonly number[]): number =>
  at.reduce((index, i, axis) => index * extents[axis] + i, 0);

/** Batch, output channel, position, input channel, tap: in any rank. */
function forEachProduct(problem: ConvProblem, use: UseProduct): void {
  const { batch, groups, inChannels, outChannels, input, kernel, output, stride, dilation, padBegin } = problem;
  const perGroup = inChannels / groups;
  for (const n of range(batch)) {
    for (const o of range(outChannels)) {
      const group = Math.floor(o / (outChannels / groups));
      for (const position of cells(output)) {
        for (const c of range(perGroup)) {
          for (const tap of cells(kernel)) {
            const at = position.map((p, axis) => p * stride[axis] + tap[axis] * dilation[axis] - padBegin[axis]);
            if (at.some((i, axis) => i < 0 || i >= input[axis])) continue;
            use(
              flat([n, o, ...position], [batch, outChannels, ...output]),
              flat([o, c, ...tap], [outChannels, perGroup, ...kernel]),
              flat([n, group * perGroup + c, ...at], [batch, inChannels, ...input]),
            );
          }
        }
      }
    }
  }
}

const zeros = (shape: readonly number[]): number[] => range(shape.reduce((a, b) => a * b, 1)).map(() => 0);

export function naiveForward(problem: ConvProblem, x: ArrayLike<number>, w: ArrayLike<number>): number[] {
  const y = zeros(problem.outputShape);
  forEachProduct(problem, (yIndex, wIndex, xIndex) => (y[yIndex] += w[wIndex] * x[xIndex]));
  return y;
}

export function naiveInputGradient(problem: ConvProblem, dy: ArrayLike<number>, w: ArrayLike<number>): number[] {
  const dx = zeros(problem.inputShape);
  forEachProduct(problem, (yIndex, wIndex, xIndex) => (dx[xIndex] += w[wIndex] * dy[yIndex]));
  return dx;
}

export function naiveWeightGradient(problem: ConvProblem, dy: ArrayLike<number>, x: ArrayLike<number>): number[] {
  const dw = zeros(problem.weightShape);
  forEachProduct(problem, (yIndex, wIndex, xIndex) => (dw[wIndex] += x[xIndex] * dy[yIndex]));
  return dw;
}

/** A problem to try the reference on. */
export interface ReferenceCase {
  readonly name: string;
  readonly problem: ConvProblem;
}

function referenceCase(
  name: string,
  rank: Rank,
  input: number[],
  weight: number[],
  options: ConvOptions = {},
): ReferenceCase {
  return { name, problem: makeProblem(rank, input, weight, options) };
}

/** Every hyperparameter in every rank, small enough for the loops above. */
export const REFERENCE_CASES: readonly ReferenceCase[] = [
  referenceCase("1D, plain", 1, [2, 3, 7], [4, 3, 3]),
  referenceCase("1D, strided, dilated, padded unevenly", 1, [2, 2, 9], [3, 2, 3], {
    stride: 2,
    dilation: 2,
    padding: [[3, 1]],
  }),
  referenceCase("2D, pointwise", 2, [2, 5, 3, 4], [2, 5, 1, 1]),
  referenceCase("2D, padded", 2, [1, 2, 5, 6], [3, 2, 3, 3], { padding: 1 }),
  referenceCase("2D, strided, not square", 2, [2, 2, 7, 8], [3, 2, 2, 3], { stride: [2, 3], padding: [1, 2] }),
  referenceCase("2D, dilated", 2, [1, 2, 9, 8], [2, 2, 3, 2], { dilation: [2, 3], padding: [2, 1] }),
  referenceCase("2D, grouped", 2, [2, 6, 4, 5], [4, 3, 3, 3], { groups: 2, padding: 1 }),
  referenceCase("2D, depthwise with multiplier 2", 2, [1, 3, 5, 5], [6, 1, 3, 3], { groups: 3, stride: 2, padding: 1 }),
  referenceCase("2D, cropped at each side", 2, [1, 2, 7, 8], [2, 2, 2, 2], {
    padding: [
      [-1, -2],
      [-2, -1],
    ],
  }),
  referenceCase("2D, cropped and padded, strided", 2, [1, 2, 7, 8], [2, 2, 3, 3], {
    stride: 2,
    padding: [
      [-2, 3],
      [4, -1],
    ],
  }),
  referenceCase("2D, padded beyond the filter", 2, [1, 1, 2, 2], [2, 1, 2, 2], { padding: 4, stride: 3 }),
  referenceCase("2D, same-lower at stride 2", 2, [1, 2, 6, 5], [2, 2, 4, 3], { stride: 2, padding: "same-lower" }),
  referenceCase("2D, inputs left over at the end", 2, [1, 1, 8, 9], [1, 1, 2, 2], { stride: 3 }),
  referenceCase("2D, one element of everything", 2, [1, 1, 1, 1], [1, 1, 1, 1]),
  referenceCase("3D, plain", 3, [1, 2, 3, 4, 5], [2, 2, 2, 3, 2]),
  referenceCase("3D, everything at once", 3, [2, 4, 5, 4, 6], [4, 2, 2, 3, 2], {
    groups: 2,
    stride: [2, 1, 2],
    dilation: [1, 2, 3],
    padding: [
      [1, 0],
      [2, 1],
      [-1, 3],
    ],
  }),
];
