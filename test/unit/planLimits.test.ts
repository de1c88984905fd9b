/** What plans keep within: what compilers can do with a tile, and what a dimension of a grid may be. */
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect, test } from "vitest";
import { plainOperation } from "../../src/calls/calls.js";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { foldWorkgroups } from "../../src/planning/solver.js";
import { select } from "../../src/solvers/select.js";

describe("tiles larger than a compiler can do anything with are refused", () => {
  test.each([
    ["register-tile", "forward", { threads: 64, mPerThread: 64, nPerThread: 64 }, /would hold 4096 sums; at most 128/],
    [
      "register-tile",
      "weightGradient",
      { threads: 64, mPerThread: 64, nPerThread: 64, broadcastLanes: 1 },
      /4096 sums; at most 128/,
    ],
    [
      "register-tile",
      "weightGradient",
      { threads: 64, mPerThread: 16, nPerThread: 8, broadcastLanes: 8 },
      /1024 steps/,
    ],
    [
      "vector-tile",
      "forward",
      { threads: 64, mPerThread: 16, vectorsPerThread: 16, broadcastLanes: 1 },
      /256 sums; at most 128/,
    ],
    [
      "vector-tile",
      "forward",
      { threads: 64, mPerThread: 64, vectorsPerThread: 64, broadcastLanes: 1 },
      /4096 sums; at most 128/,
    ],
    [
      "implicit-gemm",
      "forward",
      { threadsN: 8, threadsM: 8, mPerThread: 16, vectorsPerThread: 4, tileK: 4 },
      /256 sums/,
    ],
    [
      "implicit-gemm",
      "forward",
      { threadsN: 4, threadsM: 8, mPerThread: 8, vectorsPerThread: 2, tileK: 32, unroll: 8 },
      /steps would be/,
    ],
    ["strip", "weightGradient", { columns: 1, filterRows: 1 }, /unroll 1001 steps; at most 256/],
  ] as const)("%s, %s %o", (solver, direction, config, reason) => {
    const problem = makeProblem(2, [1, 64, 1, 3000], [64, 64, 1, 2], { dilation: [1, 1000] });
    const device = { ...DEFAULT_CAPABILITIES, subgroupLanes: 8 };
    const operation = plainOperation(direction, problem, { dtype: "float32" });
    expect(() => select(operation, device, { name: solver, config })).toThrow(reason);
  });
});

describe("grids beyond the limit of a dimension are folded", () => {
  const limited: Capabilities = {
    ...DEFAULT_CAPABILITIES,
    limits: { ...DEFAULT_CAPABILITIES.limits, maxComputeWorkgroupsPerDimension: 100 },
  };

  test.each([1, 99, 100, 101, 199, 201, 9999, 10_000])("%i workgroups", (count) => {
    const [x, y, z] = foldWorkgroups(count, limited);
    expect(Math.max(x, y)).toBeLessThanOrEqual(100);
    expect(z).toBe(1);
    // All are there, and less than y are surplus.
    expect(x * y).toBeGreaterThanOrEqual(count);
    expect(x * y - count).toBeLessThan(y);
  });

  test("grids that are too wide even folded are started in parts", () => {
    const tiny = { ...limited, limits: { ...limited.limits, maxComputeWorkgroupsPerDimension: 3 } };
    const problem = makeProblem(1, [1, 1, 64 * 31], [1, 1, 1]);
    const { dispatches } = select(plainOperation("forward", problem, { dtype: "float32" }), tiny, "direct").plan;
    // 31 workgroups are 11 rows of 3.
    expect(dispatches.map(({ workgroups, uniforms }) => [...workgroups, uniforms.firstWorkgroup])).toEqual([
      [3, 2, 1, 0],
      [3, 3, 1, 6],
      [3, 3, 1, 15],
      [3, 3, 1, 24],
    ]);
  });

  test("65,535 fit along x, one more does not", () => {
    expect(foldWorkgroups(65_535, DEFAULT_CAPABILITIES)).toEqual([65_535, 1, 1]);
    expect(foldWorkgroups(65_536, DEFAULT_CAPABILITIES)).toEqual([32_768, 2, 1]);
  });
});
