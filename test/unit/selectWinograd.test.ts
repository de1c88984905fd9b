/** Which layers Winograd's tiles get, and what is said where they get none. */
import { describe, expect, test } from "vitest";
import type { ConvOptions } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { select } from "../../src/solvers/select.js";
import { reasonAgainst, SOFTWARE } from "../support/selection.js";

describe("the engine's choice", () => {
  test.each([
    ["64 to 64 channels, 28x28", [2, 64, 28, 28], [64, 64, 3, 3], 4],
    ["256 to 256 channels, 12x12", [1, 256, 14, 14], [256, 256, 3, 3], 2],
    ["256 to 256 channels, 14x14", [1, 256, 14, 14], [256, 256, 3, 3], 2, { padding: 1 }],
    ["64 to 64 channels, 17x17", [1, 64, 17, 17], [64, 64, 3, 3], 4, { padding: 1 }],
    ["128 to 128 channels, 9x9", [1, 128, 9, 9], [128, 128, 3, 3], 2, { padding: 1 }],
    ["64 to 64 channels, 33x33, dilation 12", [1, 64, 33, 33], [64, 64, 3, 3], 4, { padding: 12, dilation: 12 }],
    ["64 to 192 channels, 27x27, 5x5", [1, 64, 27, 27], [192, 64, 5, 5], 2, { padding: 2 }],
  ] as const)("is Winograd's, in tiles as many as there are: %s", (_, input, weight, tile, options?: ConvOptions) => {
    const problem = makeProblem(2, input, weight, options);
    for (const direction of ["forward", "inputGradient"] as const) {
      for (const capabilities of [DEFAULT_CAPABILITIES, SOFTWARE]) {
        const { plan } = select(plainOperation(direction, problem, { dtype: "float32" }), capabilities);
        expect([plan.solver, plan.config]).toEqual(["winograd", { tile }]);
      }
    }
    const half = select(plainOperation("forward", problem, { dtype: "float16" }), DEFAULT_CAPABILITIES);
    if (half.plan.solver === "winograd") expect([weight[3], half.plan.config]).toEqual([3, { tile: 2 }]);
    else expect(reasonAgainst("winograd", half)).toMatch(/float16|hardly filled/);
  });

  test.each([
    ["few channels", [1, 16, 56, 56], [64, 16, 3, 3], {}, /^16 channels a group are too few/],
    ["few tiles", [1, 64, 7, 7], [64, 64, 3, 3], { padding: 1 }, /^16 tiles are too few/],
    ["other filters", [1, 64, 28, 28], [64, 64, 7, 7], {}, /^the filter is 7x7; Winograd takes 3x3 and 5x5$/],
    ["no square", [1, 64, 28, 28], [64, 64, 3, 5], {}, /^the filter is 3x5; Winograd takes 3x3 and 5x5$/],
    ["a stride", [1, 64, 56, 56], [64, 64, 3, 3], { stride: [1, 2] }, /^stride is 1x2; Winograd takes 1$/],
    [
      "a dilation that leaves little of a tile",
      [1, 64, 14, 14],
      [64, 64, 3, 3],
      { dilation: 12, padding: 12 },
      /^its tiles, hardly filled, take 1\.45 times the multiply-adds; at most 0\.85$/,
    ],
    [
      "too much memory",
      [8, 512, 224, 224],
      [512, 512, 3, 3],
      {},
      /^"winograd sources" needs \d+ bytes of scratch memory; the device binds \d+/,
    ],
  ] as const)("is not Winograd's with %s, and says why", (_, input, weight, options, reason) => {
    const operation = plainOperation("forward", makeProblem(2, input, weight, options), { dtype: "float32" });
    expect(reasonAgainst("winograd", select(operation, DEFAULT_CAPABILITIES))).toMatch(reason);
  });

  test("for weight gradients of 3x3 filters is Winograd's too, and not with few tiles", () => {
    const gradientOf = (size: number) => {
      const problem = makeProblem(2, [1, 64, size, size], [64, 64, 3, 3], { padding: 1 });
      return select(plainOperation("weightGradient", problem, { dtype: "float32" }), SOFTWARE);
    };
    expect([gradientOf(28).plan.solver, gradientOf(28).plan.config]).toEqual(["winograd", { tile: 4 }]);
    expect([gradientOf(14).plan.solver, gradientOf(14).plan.config]).toEqual(["winograd", { tile: 2 }]);
    expect(reasonAgainst("winograd", gradientOf(7))).toMatch(
      /^16 tiles are too few to pay for transforming the filters/,
    );
  });
});
