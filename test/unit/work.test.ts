/** How much of what plans multiply is needed, for cases that are reckoned by hand. */
import { describe, expect, test } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import type { DeviceClass } from "../../src/planning/devices.js";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import type { SolverChoice } from "../../src/planning/choice.js";
import { isRefusal } from "../../src/planning/solver.js";
import { executedMultiplyAdds, usefulShare } from "../../src/planning/work.js";
import type { Direction } from "../../src/problem/operation.js";
import type { ProblemOptions } from "webgpu-conv/reference";
import { select, solversFor } from "../../src/solvers/select.js";
import { CASES } from "../support/cases.js";

type Shapes = readonly [input: readonly number[], weight: readonly number[], options?: ProblemOptions];

function operationOf(direction: Direction, [input, weight, options]: Shapes) {
  return plainOperation(direction, makeProblem(2, input, weight, options), { dtype: "float32" });
}

function shareOf(
  direction: Direction,
  shapes: Shapes,
  choice: SolverChoice,
  deviceClass: DeviceClass = "unknown",
): number {
  const operation = operationOf(direction, shapes);
  return usefulShare(operation, select(operation, { ...DEFAULT_CAPABILITIES, deviceClass }, choice).plan) ?? NaN;
}

const TILE_128: SolverChoice = {
  name: "implicit-gemm",
  config: { threadsN: 16, threadsM: 16, mPerThread: 8, vectorsPerThread: 2, tileK: 8 },
};
const TILE_32: SolverChoice = {
  name: "implicit-gemm",
  config: { threadsN: 8, threadsM: 8, mPerThread: 4, vectorsPerThread: 1, tileK: 8 },
};

describe("useful share", () => {
  test("of whole tiles is 1", () => {
    expect(
      shareOf(
        "forward",
        [
          [1, 8, 16, 16],
          [32, 8, 1, 1],
        ],
        TILE_32,
      ),
    ).toBe(1);
  });

  test("counts M and N beyond the edge, and K in vectors of four, up to its end", () => {
    // 16 of 32 M, 49 of 64 N, all 12 K of tiles of 8.
    const shapes: Shapes = [
      [1, 12, 7, 7],
      [16, 12, 1, 1],
    ];
    expect(shareOf("forward", shapes, TILE_32)).toBeCloseTo((16 / 32) * (49 / 64), 10);
    // 16 of 32 M, 12 of 32 N, 49 of 52 K.
    expect(shareOf("weightGradient", shapes, TILE_32)).toBeCloseTo((16 / 32) * (12 / 32) * (49 / 52), 10);
  });

  test("counts the taps that phases of an input gradient lack: 9 of the 16 of four phases", () => {
    const shapes: Shapes = [[4, 128, 64, 64], [128, 128, 3, 3], { stride: 2, padding: 1 }];
    expect(shareOf("inputGradient", shapes, TILE_128)).toBe(9 / 16);
    expect(shareOf("inputGradient", [[4, 128, 64, 64], [128, 128, 1, 1], { stride: 2 }], TILE_128)).toBe(1 / 4);
    // Register tiles pass over them.
    expect(shareOf("inputGradient", shapes, "register-tile")).toBe(1);
  });

  test("measures Winograd's products by what they need: tiles of 4x4 on 14 x 14 results", () => {
    const shapes: Shapes = [[32, 512, 14, 14], [512, 512, 3, 3], { padding: 1 }];
    // A tile of the product that divides 512 channels, and chunks of tiles.
    const product = { threadsN: 16, threadsM: 8, mPerThread: 8, vectorsPerThread: 1, tileK: 16, splitK: 1 };
    const choice: SolverChoice = { name: "winograd", config: { tile: 4, ...product } };
    for (const direction of ["forward", "inputGradient", "weightGradient"] as const) {
      expect(shareOf(direction, shapes, choice, "amd-rdna")).toBeCloseTo((14 / 16) ** 2, 10);
    }
  });

  test("counts columns of windows and strips beyond the edge, and idle threads of a workgroup", () => {
    const shapes: Shapes = [[1, 64, 7, 7], [64, 1, 3, 3], { padding: 1, groups: 64 }];
    // 7 of 8 columns.
    expect(shareOf("forward", shapes, { name: "rolling-window", config: { mPerThread: 1, columns: 4, rows: 7 } })).toBe(
      7 / 8,
    );
    expect(shareOf("forward", shapes, { name: "strip", config: { mPerThread: 1, columns: 4 } })).toBe(7 / 8);
    // 49 of 64 threads.
    const [, , options] = shapes;
    expect(shareOf("forward", [[1, 1, 7, 7], [1, 1, 3, 3], { ...options, groups: 1 }], "direct")).toBe(49 / 64);
  });

  test("of what sums no products is undefined", () => {
    const operation = operationOf("biasGradient", [
      [1, 3, 8, 8],
      [4, 3, 3, 3],
    ]);
    expect(usefulShare(operation, select(operation, DEFAULT_CAPABILITIES).plan)).toBeUndefined();
  });
});

describe("every solver says what it executes, by each of its candidates", () => {
  for (const direction of ["forward", "inputGradient", "weightGradient"] as const) {
    test(direction, () => {
      let plans = 0;
      for (const { name, input, weight, options } of CASES) {
        const operation = operationOf(direction, [input, weight, options]);
        for (const solver of solversFor(operation)) {
          for (const config of solver.configs(operation, DEFAULT_CAPABILITIES)) {
            const plan = solver.plan(operation, DEFAULT_CAPABILITIES, config);
            if (isRefusal(plan)) continue;
            plans++;
            const executed = executedMultiplyAdds(plan);
            const told = `${name}: ${solver.name} ${JSON.stringify(config)} executes ${String(executed)}`;
            const needed = plan.neededMultiplyAdds ?? operation.problem.multiplyAdds;
            // Cropped and padded, an input gradient meets fewer products than the forward pass.
            const least = direction === "inputGradient" ? 1 : needed * (1 - 1e-12);
            expect(executed, told).toBeGreaterThanOrEqual(least);
            expect(usefulShare(operation, plan), told).toBeGreaterThan(0);
          }
        }
      }
      expect(plans).toBeGreaterThan(100);
    });
  }
});
