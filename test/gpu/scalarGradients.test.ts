/** Weight gradients by scalar tiles: whichever way the tensors lie, with tiles of every kind, exact on small integers. */
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import type { Capabilities } from "../../src/planning/capabilities.js";
import { plainOperation } from "../../src/calls/calls.js";
import type { ConvOperation } from "../../src/problem/operation.js";
import { select } from "../../src/solvers/select.js";
import { type Fill, smallIntegers } from "../support/data.js";
import { type GpuFixtures, gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import { expectedResults, makeValues, operationsOf } from "../support/operations.js";

/** Channels loaded one by one and in vectors; rows of one position and of more; parts of K, and blocks of a part. */
const TILES = [
  { threads: 32, mPerThread: 4, channelsPerThread: 1, unroll: 3, splitK: 1 },
  { threads: 64, mPerThread: 8, channelsPerThread: 2, unroll: 1, splitK: 3 },
  { threads: 32, mPerThread: 4, channelsPerThread: 4, unroll: 2, splitK: 1 },
] as const;

const LAST = { layout: "channels-last" } as const;
const LAYERS = [
  ["1x1", 2, [3, 9, 7, 8], [13, 9, 1, 1], {}],
  ["1x1, stride 2, padded", 2, [2, 6, 9, 8], [8, 6, 1, 1], { stride: 2, padding: 1 }],
  ["1x1, stride 3, reflected", 2, [2, 5, 9, 8], [6, 5, 1, 1], { stride: 3, padding: 2, paddingMode: "reflect" }],
  ["3x3, long sums", 2, [3, 3, 21, 20], [5, 3, 3, 3], { padding: 1 }],
  ["3x3, rows longer than a block", 2, [1, 2, 4, 530], [4, 2, 3, 3], {}],
  ["3x3, groups, dilated", 2, [2, 8, 11, 9], [10, 4, 3, 3], { padding: 2, dilation: 2, groups: 2 }],
  [
    "3x2, strides of 1 and 3, circular",
    2,
    [2, 4, 7, 10],
    [7, 4, 3, 2],
    { stride: [1, 3], padding: 2, paddingMode: "circular" },
  ],
  ["one axis, replicated", 1, [3, 5, 19], [6, 5, 4], { stride: 2, padding: 3, paddingMode: "replicate" }],
  ["three axes", 3, [2, 3, 5, 6, 7], [5, 3, 2, 3, 2], { stride: [2, 1, 2], padding: 1 }],
  ["stride above the filter", 3, [2, 3, 9, 10, 11], [5, 3, 2, 2, 2], { stride: [4, 5, 3] }],
  ["1x1, in place", 2, [3, 6, 4, 8], [16, 8, 1, 1], LAST],
  ["1x1, groups, in place", 2, [2, 6, 6, 16], [16, 8, 1, 1], { ...LAST, groups: 2 }],
  ["3x3, in place", 2, [2, 8, 8, 4], [8, 4, 3, 3], LAST],
  ["3x3, stride 2, in place", 2, [2, 9, 13, 12], [24, 4, 3, 3], { ...LAST, stride: 2, groups: 3 }],
  [
    "three axes, stride above the filter, in place",
    3,
    [2, 8, 7, 8, 4],
    [8, 4, 2, 2, 2],
    { ...LAST, stride: [3, 5, 1] },
  ],
  ["3x3, channels-last, padded", 2, [2, 7, 8, 5], [8, 5, 3, 3], { ...LAST, padding: 1 }],
] as const;

type Runner = GpuFixtures["runner"];
type Tile = (typeof TILES)[number];

async function expectExact(operation: ConvOperation, config: Tile, planned: Capabilities, runner: Runner, fill: Fill) {
  // Rows are multiples of what is unrolled, but where a filter has one tap.
  const { taps, output } = operation.problem;
  const unroll = taps > 1 && output[2] % config.unroll > 0 ? 1 : config.unroll;
  const { plan } = select(operation, planned, { name: "scalar-tile", config: { ...config, unroll } });
  const values = makeValues(operation.problem, 5, fill);
  const results = await runner.run(operation, plan, values);
  expectedResults(operation, values).forEach((expected, i) => {
    expect(exactMismatch(results[i], expected)).toBeUndefined();
  });
}

describe.each(TILES)("weight gradients with $mPerThread x $channelsPerThread a thread", (config) => {
  for (const [name, rank, input, weight, options] of LAYERS) {
    gpuTest(name, async ({ runner, capabilities }) => {
      const operations = operationsOf(makeProblem(rank, input, weight, options)).filter(
        ({ direction }) => direction === "weightGradient",
      );
      // With a bias and without, masked and not.
      expect(operations.length).toBeGreaterThanOrEqual(2);
      for (const operation of operations) await expectExact(operation, config, capabilities, runner, smallIntegers);
    });
  }
});

/** Their sums are so small that float16 has them. */
const units: Fill = (random, count) => Float32Array.from({ length: count }, () => random.integer(-1, 1));

describe("weight gradients in float16", () => {
  const layers = LAYERS.filter(([name]) => ["3x3, groups, dilated", "1x1, in place"].includes(name));
  for (const [name, rank, input, weight, options] of layers) {
    gpuTest(name, async ({ runner, capabilities }) => {
      const withAndWithout = capabilities.shaderF16 ? [true, false] : [false];
      for (const operation of operationsOf(makeProblem(rank, input, weight, options))) {
        if (operation.direction !== "weightGradient") continue;
        for (const shaderF16 of withAndWithout) {
          await expectExact(
            { ...operation, dtype: "float16" },
            TILES[1],
            { ...capabilities, shaderF16 },
            runner,
            units,
          );
        }
      }
    });
  }
});

describe("an infinite input", () => {
  const problem = makeProblem(2, [1, 4, 5, 8], [4, 4, 3, 3], { padding: 1 });
  const operation = plainOperation("weightGradient", problem, { dtype: "float32" });

  gpuTest("reaches the weights that multiply it, and no others", async ({ runner, capabilities }) => {
    const { plan } = select(operation, capabilities, { name: "scalar-tile", config: TILES[2] });
    const values = makeValues(problem, 5, smallIntegers);
    // The end of a row, which the last tap of a line never meets at the row's own last position.
    const x = Float32Array.from(values.x);
    x[2 * 8 + 7] = Infinity;
    const y = Float32Array.from(values.y, () => 1);
    const infinite = { ...values, x, y };
    const [result] = await runner.run(operation, plan, infinite);
    const [expected] = expectedResults(operation, infinite);
    expect(Array.from(result, Number.isFinite)).toEqual(Array.from(expected, Number.isFinite));
    expect(expected.filter(Number.isFinite).length).toBeGreaterThan(0);
    expect(expected.some((value) => value === Infinity)).toBe(true);
  });

  gpuTest("rows that end within what is unrolled are refused", ({ capabilities }) => {
    expect(() => select(operation, capabilities, { name: "scalar-tile", config: TILES[0] })).toThrow(
      "unroll is 3; expected a divisor of 8, the positions of a row",
    );
  });
});
