/** The float64 reference against the definition, against sums made by hand, and against the identities that tie its passes. */
import { describe, expect, test } from "vitest";
import {
  biasGradient,
  forward,
  inputGradient,
  makeProblem,
  maskByOutput,
  referencePass,
  weightGradient,
} from "webgpu-conv/reference";
import { product } from "../../src/problem/geometry.js";
import { Random, reals, smallIntegers } from "../support/data.js";
import { naiveForward, naiveInputGradient, naiveWeightGradient, REFERENCE_CASES } from "../support/naive.js";

describe.each(REFERENCE_CASES)("$name", ({ problem }) => {
  const sizes = [problem.inputShape, problem.weightShape, problem.outputShape].map(product);

  test("small integers: equal to the definition in all three passes", () => {
    const random = new Random(7);
    const [x, w, dy] = sizes.map((size) => smallIntegers(random, size));
    expect([...forward(problem, x, w)]).toEqual(naiveForward(problem, x, w));
    expect([...inputGradient(problem, dy, w)]).toEqual(naiveInputGradient(problem, dy, w));
    expect([...weightGradient(problem, dy, x)]).toEqual(naiveWeightGradient(problem, dy, x));
  });

  test("<dy, conv(x, w)> = <dx, x> = <dw, w>", () => {
    const random = new Random(8);
    const [x, w, dy] = sizes.map((size) => reals(random, size));
    const magnitudes = [x, w, dy].map((values) => values.map(Math.abs));
    const overOutput = dot(dy, forward(problem, x, w));
    // Three orders of the same float64 sum: each errs by at most terms * 2^-53 * sum|products|.
    const terms = problem.multiplyAdds + sizes[0] + sizes[1] + sizes[2];
    const bound = 2 * terms * 2 ** -53 * dot(magnitudes[2], forward(problem, magnitudes[0], magnitudes[1]));
    expect(Math.abs(dot(inputGradient(problem, dy, w), x) - overOutput)).toBeLessThanOrEqual(bound);
    expect(Math.abs(dot(weightGradient(problem, dy, x), w) - overOutput)).toBeLessThanOrEqual(bound);
  });

  test("the bias adds its value to every output of a channel, and its gradient is the sum over them", () => {
    const random = new Random(9);
    const [x, w, dy] = sizes.map((size) => smallIntegers(random, size));
    const bias = smallIntegers(random, problem.outChannels);
    const channelOf = (index: number): number => Math.floor(index / problem.outputPositions) % problem.outChannels;
    const plain = forward(problem, x, w);
    const biased = forward(problem, x, w, { bias });
    expect([...biased]).toEqual(Array.from(plain, (value, i) => value + bias[channelOf(i)]));
    const sums = new Array<number>(problem.outChannels).fill(0);
    dy.forEach((value, i) => (sums[channelOf(i)] += value));
    expect([...biasGradient(problem, dy)]).toEqual(sums);
  });
});

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, value, i) => sum + value * b[i], 0);
}

describe("padding of 2^31 - 1, which takes no memory", () => {
  const options = { padding: 2 ** 31 - 1, stride: 2 ** 30 };

  test("a replicated edge: outputs before the input, on it, and beyond", () => {
    const problem = makeProblem(1, [1, 1, 3], [1, 1, 1], { ...options, paddingMode: "replicate" });
    expect([...forward(problem, [2, 3, 5], [1])]).toEqual([2, 2, 3, 5, 5]);
    expect([...inputGradient(problem, [1, 2, 4, 8, 16], [1])]).toEqual([3, 4, 24]);
    expect([...weightGradient(problem, [1, 2, 4, 8, 16], [2, 3, 5])]).toEqual([2 + 4 + 12 + 40 + 80]);
  });

  test("zeros", () => {
    const problem = makeProblem(1, [1, 1, 3], [1, 1, 2], options);
    expect([...forward(problem, [2, 3, 5], [1, 10])]).toEqual([0, 0, 53, 0]);
    expect([...inputGradient(problem, [1, 2, 4, 8], [1, 10])]).toEqual([0, 4, 40]);
  });
});

describe("by hand", () => {
  // CS231n's layer in small: 2 channels of 3x3, filter 2x2x2, pad 1, stride 2.
  const problem = makeProblem(2, [1, 2, 3, 3], [1, 2, 2, 2], { padding: 1, stride: 2 });
  const x = [1, 2, 3, 4, 5, 6, 7, 8, 9, /* second channel */ 0, 1, 0, 2, 0, 2, 0, 3, 0];
  const w = [1, -1, 2, 0, /* second channel */ 0, 1, -1, 3];

  test("forward", () => {
    // (taps on channel 1) + (taps on channel 2), where the window lies on the input:
    // (0 * 1) + (3 * 0), (2 * 2 + 0 * 3) + (-1 * 1 + 3 * 0), (-1 * 4 + 0 * 7) + (1 * 2 + 3 * 0),
    // (1 * 5 - 1 * 6 + 2 * 8 + 0 * 9) + (0 * 0 + 1 * 2 - 1 * 3 + 3 * 0)
    expect([...forward(problem, x, w)]).toEqual([0, 3, -2, 14]);
    expect([...forward(problem, x, w, { bias: [-1] })]).toEqual([-1, 2, -3, 13]);
    expect([...forward(problem, x, w, { bias: [-1], activation: "relu" })]).toEqual([0, 2, 0, 13]);
  });

  test("input gradient: each dy hands its filter back to where it looked", () => {
    const dx = [0, 4, 0, -3, 4, -4, 0, 8, 0, /* second channel */ 3, -2, 6, 3, 0, 4, 9, -4, 12];
    expect([...inputGradient(problem, [1, 2, 3, 4], w)]).toEqual(dx);
  });

  test("weight gradient: each dy hands back what its filter saw", () => {
    // Tap (0,0) of channel 1: 3 * 0 + 4 * 5; tap (0,1): 3 * 4 + 4 * 6; tap (1,0): 2 * 2 + 4 * 8; tap (1,1): 1 + 6 + 21 + 36
    const dw = [20, 36, 36, 64, /* second channel */ 0, 14, 14, 0];
    expect([...weightGradient(problem, [1, 2, 3, 4], x)]).toEqual(dw);
  });

  test("bias gradient", () => expect([...biasGradient(problem, [1, 2, 3, 4])]).toEqual([10]));

  test("relu's mask passes dy only where the output is positive, and what is no number on", () => {
    expect([...maskByOutput([1, 2, 3, 4], [0, 2, -0, NaN])]).toEqual([0, 2, 0, NaN]);
  });

  test("an edge filter finds a vertical edge", () => {
    const picture = [0, 0, 9, 9, 0, 0, 9, 9, 0, 0, 9, 9];
    const edges = makeProblem(2, [1, 1, 3, 4], [1, 1, 3, 3]);
    expect([...forward(edges, picture, [-1, 0, 1, -2, 0, 2, -1, 0, 1])]).toEqual([36, 36]);
    const blank = new Float32Array(12).fill(9);
    expect([...forward(edges, blank, [-1, 0, 1, -2, 0, 2, -1, 0, 1])]).toEqual([0, 0]);
  });

  test("passes by name are the passes", () => {
    const dy = [1, 2, 3, 4];
    expect(referencePass(problem, "forward", { x, w, bias: [5] })).toEqual(forward(problem, x, w, { bias: [5] }));
    expect(referencePass(problem, "inputGradient", { dy, w })).toEqual(inputGradient(problem, dy, w));
    expect(referencePass(problem, "weightGradient", { dy, x })).toEqual(weightGradient(problem, dy, x));
    expect(referencePass(problem, "biasGradient", { dy })).toEqual(biasGradient(problem, dy));
  });
});
