/** Which layers rolling windows, strips and vector tiles get, and in which tiles. */
import { describe, expect, test } from "vitest";
import type { ConvOptions } from "webgpu-conv";
import { type ConvProblem, makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { select } from "../../src/solvers/select.js";
import { reasonAgainst, SOFTWARE } from "../support/selection.js";

describe("the engine's choice", () => {
  test("for weight gradients on software devices is rolling windows, where neither Winograd nor one tap is enough", () => {
    const choose = (input: number[], weight: number[], options: ConvOptions = {}, capabilities = SOFTWARE) => {
      const problem = makeProblem(2, input, weight, { padding: 1, ...options });
      const { plan } = select(plainOperation("weightGradient", problem, { dtype: "float32" }), capabilities);
      return [plan.solver, plan.config];
    };
    const wide = { mPerThread: 4, columns: 4 };
    expect(choose([1, 512, 7, 7], [512, 512, 3, 3])).toEqual(["rolling-window", wide]);
    expect(choose([1, 256, 56, 56], [256, 8, 3, 3], { groups: 32 })).toEqual(["rolling-window", wide]);
    expect(choose([1, 16, 56, 56], [64, 16, 5, 5])).toEqual(["rolling-window", { mPerThread: 2, columns: 4 }]);
    expect(choose([1, 144, 56, 56], [144, 1, 3, 3], { groups: 144 })).toEqual([
      "rolling-window",
      { mPerThread: 1, columns: 8 },
    ]);
    // The ends of short rows count: 10 in two blocks of 8, or three of 4.
    expect(choose([1, 144, 10, 10], [144, 1, 3, 3], { groups: 144 })).toEqual([
      "rolling-window",
      { mPerThread: 1, columns: 4 },
    ]);
    for (const [input, weight, options, capabilities] of [
      [
        [1, 64, 56, 56],
        [64, 64, 3, 3],
      ],
      [
        [1, 3, 112, 112],
        [64, 3, 3, 3],
      ],
      [[1, 128, 56, 56], [128, 128, 3, 3], { stride: 2 }],
      [
        [1, 64, 28, 28],
        [64, 64, 1, 1],
      ],
      [[1, 512, 7, 7], [512, 512, 3, 3], {}, DEFAULT_CAPABILITIES],
    ] as [number[], number[], ConvOptions?, Capabilities?][]) {
      expect(choose(input, weight, options, capabilities)[0]).not.toBe("rolling-window");
    }
  });

  test("for first layers of few taps is rolling windows on software devices", () => {
    const choose = (weight: number[], capabilities = SOFTWARE) => {
      const problem = makeProblem(2, [1, weight[1], 112, 112], weight, { padding: 1 });
      const { plan } = select(plainOperation("forward", problem, { dtype: "float32" }), capabilities);
      return [plan.solver, plan.config];
    };
    expect(choose([64, 3, 3, 3])).toEqual(["rolling-window", { mPerThread: 2, columns: 4, rows: 64 }]);
    expect(choose([32, 1, 5, 5])).toEqual(["rolling-window", { mPerThread: 2, columns: 4, rows: 64 }]);
    // More weights would be kept than compile soon.
    expect(choose([32, 3, 7, 7])[0]).toBe("register-tile");
    expect(choose([64, 3, 3, 3], DEFAULT_CAPABILITIES)[0]).toBe("implicit-gemm");
  });

  test("for depthwise layers is rolling windows, which walk less far where there are few threads", () => {
    const many = makeProblem(2, [8, 64, 56, 56], [64, 1, 3, 3], { padding: 1, groups: 64 });
    const choose = (problem: ConvProblem, capabilities = DEFAULT_CAPABILITIES) => {
      const { plan } = select(plainOperation("forward", problem, { dtype: "float32" }), capabilities);
      return [plan.solver, plan.config];
    };
    expect(choose(many)).toEqual(["rolling-window", { mPerThread: 1, columns: 4, rows: 16 }]);
    const uneven = makeProblem(2, [8, 64, 57, 57], [64, 1, 3, 3], { padding: 1, groups: 64 });
    expect(choose(uneven)).toEqual(["rolling-window", { mPerThread: 1, columns: 2, rows: 32 }]);
    expect(choose(many, SOFTWARE)).toEqual(["rolling-window", { mPerThread: 1, columns: 8, rows: 64 }]);
    const few = makeProblem(2, [1, 8, 8, 8], [8, 1, 3, 3], { groups: 8 });
    expect(choose(few)).toEqual(["rolling-window", { mPerThread: 1, columns: 2, rows: 4 }]);
    expect(choose(few, SOFTWARE)).toEqual(["rolling-window", { mPerThread: 1, columns: 2, rows: 4 }]);
  });

  test("is strips where windows have no lines in common, or would hold too much", () => {
    const forward = (weight: readonly number[], options: ConvOptions) => {
      const problem = makeProblem(2, [1, 64, 56, 56], weight, { groups: 64, ...options });
      return select(plainOperation("forward", problem, { dtype: "float32" }), DEFAULT_CAPABILITIES);
    };
    const disjoint = forward([64, 1, 3, 3], { stride: 3 });
    expect(disjoint.plan.solver).toBe("strip");
    expect(reasonAgainst("rolling-window", disjoint)).toBe("windows of 3 rows at stride 3 do not overlap");
    const wide = forward([64, 1, 5, 5], { dilation: 6 });
    expect(wide.plan.solver).toBe("strip");
    expect(reasonAgainst("rolling-window", wide)).toBe("650 sources in a window; at most 96");
    const gradientOf = (weight: readonly number[], options: ConvOptions) => {
      const strided = makeProblem(2, [1, 8, 25, 25], weight, { groups: 8, stride: 2, ...options });
      return select(plainOperation("inputGradient", strided, { dtype: "float32" }), DEFAULT_CAPABILITIES);
    };
    expect(gradientOf([8, 1, 3, 3], {}).plan.solver).toBe("rolling-window");
    const dilated = gradientOf([8, 1, 3, 3], { dilation: 3 });
    expect(dilated.plan.solver).toBe("register-tile");
    expect(reasonAgainst("rolling-window", dilated)).toBe(
      "stride 2x2 with dilation 3x3; windows take input gradients with one of the two",
    );
    expect(reasonAgainst("strip", dilated)).toBe("stride is 2x2; strips take input gradients at stride 1");
  });

  test.each([
    ["a 1x1 layer", [1, 64, 14, 14], [16, 64, 1, 1], {}, undefined],
    ["a strided one, laid out", [1, 64, 15, 15], [16, 64, 1, 1], { stride: 2 }, undefined],
    ["many filters, laid out", [1, 8, 14, 14], [128, 8, 5, 5], {}, undefined],
    ["few filters", [1, 8, 14, 14], [32, 8, 5, 5], {}, /^32 result channels a group use a source too seldom/],
    [
      "few filters whose taps are no neighbours",
      [1, 8, 15, 15],
      [3, 3, 8, 64],
      { stride: 2, weightLayout: "HWIO" },
      /^64 res/,
    ],
    ["channels of which few shares are uneven", [1, 33, 14, 14], [16, 33, 1, 1], {}, undefined],
    ["taps that are shared like channels", [1, 3, 15, 15], [64, 3, 7, 7], { stride: 2 }, undefined],
    [
      "channels that lanes cannot broadcast",
      [1, 3, 14, 14],
      [16, 3, 1, 1],
      {},
      /^where lanes cannot broadcast weights/,
    ],
  ] as const)("on a software device with subgroups is vector tiles or not: %s", (_, input, weight, options, reason) => {
    const operation = plainOperation("forward", makeProblem(2, input, weight, options), { dtype: "float32" });
    const selection = select(operation, { ...SOFTWARE, subgroupLanes: 4 });
    if (reason) expect(reasonAgainst("vector-tile", selection)).toMatch(reason);
    else expect([selection.plan.solver, selection.plan.config.broadcastLanes]).toEqual(["vector-tile", 4]);
    expect(reasonAgainst("vector-tile", select(operation, SOFTWARE))).toMatch(/^where lanes cannot broadcast weights/);
    expect(reasonAgainst("vector-tile", select(operation, DEFAULT_CAPABILITIES))).toMatch(/comes first|^a GPU shares/);
  });

  test("on a software device fills lanes: tiles no wider than the map, strips where a map is tiny", () => {
    const choose = (size: number, weight: readonly number[], options: ConvOptions = {}) => {
      const problem = makeProblem(2, [1, 64, size, size], weight, options);
      const { plan } = select(plainOperation("forward", problem, { dtype: "float32" }), SOFTWARE);
      return [plan.solver, plan.config];
    };
    const wide = { threads: 64, mPerThread: 8, nPerThread: 8 };
    expect(choose(28, [64, 64, 1, 1])).toEqual(["register-tile", wide]);
    expect(choose(8, [64, 64, 3, 3], { stride: 2, padding: 1 })).toEqual(["register-tile", { ...wide, nPerThread: 4 }]);
    expect(choose(3, [64, 64, 3, 3], { padding: 1 })).toEqual(["strip", { mPerThread: 8, columns: 4 }]);
    expect(choose(2, [64, 64, 3, 3], { padding: 1 })).toEqual(["strip", { mPerThread: 8, columns: 2 }]);
    expect(choose(2, [64, 64, 1, 1])).toEqual(["strip", { mPerThread: 8, columns: 2 }]);
  });

  test("is no window that holds a single column, since no larger one is allowed", () => {
    const problem = makeProblem(2, [1, 64, 56, 56], [64, 4, 3, 3], { groups: 16, stride: 2, padding: 1 });
    for (const capabilities of [DEFAULT_CAPABILITIES, SOFTWARE]) {
      const selection = select(plainOperation("forward", problem, { dtype: "float32" }), capabilities);
      expect(selection.plan.solver).toBe("strip");
      expect(reasonAgainst("rolling-window", selection)).toBe("40 sources loaded for a row; at most 32");
    }
  });
});
