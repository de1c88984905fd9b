/** The error bound, and the comparison that must not let anything through. */
import { describe, expect, test } from "vitest";
import { compare, errorBound, forward, longestChain, makeProblem, termsOf, UNIT_ROUNDOFF } from "webgpu-conv/reference";
import { product } from "../../src/problem/geometry.js";
import { BATCH_BLOCKS, BLOCK_TERMS, cutWalk } from "../../src/solvers/shared/blocks.js";
import { Random, reals } from "../support/data.js";

describe("compare", () => {
  test("within the bound passes, and tells the element that came closest to it", () => {
    const comparison = compare([1, 2.5, 3.125], [1, 2, 3], [1, 1, 0.25]);
    expect(comparison).toEqual({ pass: true, maxError: 0.5, bound: 1, worstIndex: 1, worstError: 0.5 });
  });

  test("exactly the bound passes, the least bit more fails", () => {
    expect(compare([1.5], [1], 0.5).pass).toBe(true);
    expect(compare([1.5], [1], 0.5 - 2 ** -50)).toMatchObject({ pass: false, maxError: 0.5, worstIndex: 0 });
  });

  test("bound 0 asks for equality", () => {
    expect(compare([1, 2], [1, 2], 0)).toMatchObject({ pass: true, maxError: 0 });
    expect(compare([1, 2 + 2 ** -51], [1, 2], 0)).toMatchObject({ pass: false, worstIndex: 1, bound: 0 });
    expect(compare([-0], [0], 0).pass).toBe(true);
  });

  test.each([
    ["the value", [1, NaN], [1, 2], [1, 1]],
    ["what is expected", [1, 2], [1, NaN], [1, 1]],
    ["the bound", [1, 2], [1, 2], [1, NaN]],
  ])("NaN in %s fails", (_, actual, expected, bound) => {
    expect(compare(actual, expected, bound).pass).toBe(false);
  });

  test("NaN as a value is reported as the largest error, wherever it stands", () => {
    expect(compare([9, NaN, 9], [1, 2, 3], 1)).toMatchObject({ pass: false, maxError: NaN, worstIndex: 1 });
  });

  test("infinities fail, equal ones too: their difference is not a number", () => {
    expect(compare([Infinity], [1], 1).pass).toBe(false);
    expect(compare([Infinity], [Infinity], 1).pass).toBe(false);
  });

  test("another length fails: too short, too long, empty", () => {
    expect(compare([1], [1, 2], 1).pass).toBe(false);
    expect(compare([1, 2, 3], [1, 2], 1).pass).toBe(false);
    expect(compare([], [1], 1).pass).toBe(false);
    expect(compare([1], [], 1).pass).toBe(false);
    expect(compare([], [], 1).pass).toBe(true);
  });

  test("the worst element is the one furthest beyond its own bound, not the one with the largest error", () => {
    expect(compare([10, 0.2], [0, 0], [20, 0.1])).toMatchObject({
      pass: false,
      maxError: 10,
      worstIndex: 1,
      bound: 0.1,
    });
  });
});

describe("the bound", () => {
  const problem = makeProblem(2, [2, 4, 5, 6], [6, 2, 3, 3], { groups: 2, padding: 1, stride: 2 });

  test("counts the products of a sum in each pass", () => {
    const passes = ["forward", "inputGradient", "weightGradient", "biasGradient"] as const;
    expect(passes.map((direction) => termsOf(problem, direction))).toEqual([2 * 9, 3 * 9, 2 * 9, 2 * 9]);
  });

  test("of a short sum is terms * 2^-24 * sum|terms|, signs ignored", () => {
    const pointwise = makeProblem(2, [1, 2, 1, 1], [1, 2, 1, 1]);
    const bound = errorBound(pointwise, "forward", { x: [3, -5], w: [-2, 7], bias: [-4] });
    expect([...bound]).toEqual([3 * UNIT_ROUNDOFF * (6 + 35 + 4)]);
    expect(UNIT_ROUNDOFF).toBe(2 ** -24);
  });

  test("holds for the sum in float32, first to last and last to first, and is not idle", () => {
    const random = new Random(3);
    const x = reals(random, product(problem.inputShape));
    const w = reals(random, product(problem.weightShape));
    const dot = makeProblem(2, [1, x.length, 1, 1], [1, x.length, 1, 1]);
    const weights = Float32Array.from(x, (_, i) => w[i % w.length]);
    const expected = forward(dot, x, weights);
    const bound = errorBound(dot, "forward", { x, w: weights });
    const indices = Array.from(x.keys());
    for (const order of [indices, [...indices].reverse()]) {
      let sum = 0;
      for (const i of order) sum = Math.fround(sum + Math.fround(x[i] * weights[i]));
      expect(compare([sum], expected, bound).pass).toBe(true);
    }
    // One product lost is far outside.
    expect(compare([expected[0] - x[0] * weights[0]], expected, bound).pass).toBe(false);
  });
});

describe("long sums", () => {
  test("are no long chains of additions", () => {
    expect([1, 256].map(longestChain)).toEqual([1, 256]);
    expect([576, 4608, 600_000, 6_000_000].map(longestChain)).toEqual([292, 307, 417, 422]);
    expect([256, 257, 300, 32_768].map(longestChain)).toEqual([256, 257, 291, 417]);
  });

  test("are cut into blocks that hold every term and are none too long", () => {
    const shapes = [1, 3, 64, 255, 256, 257, 511, 513, 4096, 70_001].flatMap((channels) =>
      [1, 2, 9, 49, 300].map((taps) => ({ channels, taps })),
    );
    for (const { channels, taps } of shapes) {
      for (const [termsPerChannel, unit, splitK] of [
        [1, 1, 1],
        [5, 1, 1],
        [1, 8, 1],
        [1, 1, 7],
      ] as const) {
        const cut = cutWalk({ channels, taps, termsPerChannel, unit, splitK });
        const { chunks, chunkChannels, stepsPerBlock, blocks } = cut;
        expect(chunks * chunkChannels).toBeGreaterThanOrEqual(channels);
        expect((chunks - 1) * chunkChannels).toBeLessThan(channels);
        expect(blocks * stepsPerBlock).toBeGreaterThanOrEqual(taps * chunks);
        expect((blocks - 1) * stepsPerBlock).toBeLessThan(taps * chunks);
        const terms = stepsPerBlock * chunkChannels * termsPerChannel;
        expect(terms).toBeLessThanOrEqual(BLOCK_TERMS);
        // Blocks of one split are added one after the other.
        const total = channels * taps * termsPerChannel;
        const added = Math.min(BATCH_BLOCKS, blocks);
        expect(terms + added).toBeLessThanOrEqual(BLOCK_TERMS + Math.min(BATCH_BLOCKS, Math.ceil(total / 64)));
      }
    }
  });

  /** A sum in float32 as kernels cut it; `lost` tells blocks that are left out. */
  function blockedSum(terms: Float32Array, isLost: (block: number) => boolean = () => false): number {
    let batches = 0;
    let batch = 0;
    for (let block = 0; block * BLOCK_TERMS < terms.length; block++) {
      let sum = 0;
      for (const term of terms.subarray(block * BLOCK_TERMS, (block + 1) * BLOCK_TERMS)) sum = Math.fround(sum + term);
      if (!isLost(block)) batch = Math.fround(batch + sum);
      if ((block + 1) % BATCH_BLOCKS === 0) [batches, batch] = [Math.fround(batches + batch), 0];
    }
    return Math.fround(batches + batch);
  }

  test.each(["equal", "random"])(
    "of a million terms: the bound holds, and a defect is outside it (%s terms)",
    (kind) => {
      const count = 1_000_000;
      const random = new Random(5);
      const terms = Float32Array.from({ length: count }, () => (kind === "equal" ? 0.1 : random.next()));
      const expected = terms.reduce((sum, term) => sum + term, 0);
      const bound = longestChain(count) * UNIT_ROUNDOFF * expected;
      const isWithin = (actual: number): boolean => compare([actual], [expected], bound).pass;
      expect(isWithin(blockedSum(terms))).toBe(true);
      const oneLost = blockedSum(terms, (block) => block === 1234);
      expect(isWithin(oneLost)).toBe(false);
      // A bound that counts terms notices nothing of it.
      expect(compare([oneLost], [expected], count * UNIT_ROUNDOFF * expected).pass).toBe(true);
      // One chain of a million equal terms is a defect, too.
      if (kind === "equal") expect(isWithin(terms.reduce((sum, term) => Math.fround(sum + term), 0))).toBe(false);
    },
  );
});
