/** Explanations: the plan as data and in words. */
import { describe, expect, test } from "vitest";
import { createEngine } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import { bytesOf, explain, flopsOf } from "../../src/calls/explain.js";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import type { ConvOperation, Direction } from "../../src/problem/operation.js";
import { select, solversFor } from "../../src/solvers/select.js";

function operationOf(direction: Direction, parts: Partial<ConvOperation> = {}): ConvOperation {
  const problem = makeProblem(2, [2, 3, 8, 9], [4, 3, 3, 2], { stride: [2, 1], dilation: [1, 3] });
  return { ...plainOperation(direction, problem, { dtype: "float32" }), ...parts };
}

// x [2, 3, 8, 9] 432 values, w [4, 3, 3, 2] 72, y [2, 4, 3, 6] 144
describe("counts", () => {
  test("two FLOPs a multiply-add, one an addition of the bias gradient", () => {
    expect(flopsOf(operationOf("forward"))).toBe(2 * 144 * 18);
    expect(flopsOf(operationOf("inputGradient"))).toBe(2 * 144 * 18);
    expect(flopsOf(operationOf("biasGradient"))).toBe(144);
  });

  test("bytes of each operand and result once", () => {
    expect(bytesOf(operationOf("forward"))).toBe(4 * (432 + 72 + 144));
    expect(bytesOf(operationOf("forward", { bias: true }))).toBe(4 * (432 + 72 + 144 + 4));
    expect(bytesOf(operationOf("inputGradient", { masked: true }))).toBe(4 * (432 + 72 + 2 * 144));
    expect(bytesOf(operationOf("weightGradient", { bias: true }))).toBe(4 * (432 + 72 + 144 + 4));
    expect(bytesOf(operationOf("biasGradient"))).toBe(4 * (144 + 4));
  });
});

describe("an explanation", () => {
  const operation = operationOf("forward");
  const selection = select(operation, { ...DEFAULT_CAPABILITIES, deviceClass: "software" }, "direct");
  const explanation = explain(operation, selection);
  const others = solversFor(operation)
    .map(({ name }) => name)
    .filter((name) => name !== "direct");

  test("is data", () => {
    expect(explanation).toMatchObject({
      direction: "forward",
      problem: operation.problem,
      solver: "direct",
      config: {},
      refused: others.map((solver) => ({ solver, reason: "direct was asked for" })),
      dispatches: [{ kernel: "direct", workgroups: [3, 1, 1], packsWeights: false, multiplyAdds: 3456 }],
      flops: 5184,
      usefulShare: 0.75,
      bytes: 2592,
      arithmeticIntensity: 2,
      workspaceBytes: 0,
    });
    expect(explanation.dispatches[0].constants).toMatchObject({
      KERNEL_HEIGHT: 3,
      STRIDE_HEIGHT: 2,
      DILATION_WIDTH: 3,
    });
  });

  test("has the text of its kernels, which nothing copies along", async () => {
    const [step] = explanation.dispatches;
    const code = await step.code;
    expect(code).toMatch(/^const KERNEL_HEIGHT: u32 = 3u;$/m);
    expect(code).toMatch(/^ {4}\S/m);
    expect(code).not.toMatch(/\/\/|\n\n\n/);
    expect(Object.keys({ ...step })).toEqual([
      "kernel",
      "constants",
      "workgroups",
      "packsWeights",
      "multiplyAdds",
      "milliseconds",
    ]);
    expect(JSON.stringify(step)).not.toContain("code");
  });

  test("is words", () => {
    expect(String(explanation)).toBe(
      [
        "forward: x [2, 3, 8, 9], w [4, 3, 3, 2], y [2, 4, 3, 6], stride 2x1, dilation 1x3, groups 1",
        "solver direct",
        "  dispatch direct: 3 x 1 x 1 workgroups",
        "5,184 FLOPs, 2,592 bytes, 2.0 FLOPs a byte, 0 bytes of workspace",
        "3,456 multiply-adds executed, 75.0 % of them needed",
        ...others.map((name) => `not ${name}: direct was asked for`),
      ].join("\n"),
    );
  });

  test("tells the device's class, and by what it was told", () => {
    const device = { deviceClass: "intel-xe2", classifiedBy: 'by the name "intel xe-2hpg"' } as const;
    const explained = explain(operation, selection, "model", undefined, device);
    expect(explained).toMatchObject(device);
    expect(String(explained)).toMatch(/\ndevice class intel-xe2, by the name "intel xe-2hpg"\nsolver direct\n/);
    expect(explanation.deviceClass).toBeUndefined();
  });

  test("tells tuning constants and both stages of a split sum", () => {
    const problem = makeProblem(2, [8, 4, 64, 64], [4, 4, 3, 3], { padding: 1 });
    const split = operationOf("weightGradient", { problem });
    const words = String(explain(split, select(split, DEFAULT_CAPABILITIES, "register-tile")));
    expect(words).toMatch(/^solver register-tile \(threads \d+, mPerThread \d+, nPerThread \d+, broadcastLanes 1\)$/m);
    expect(words).toMatch(/dispatch register_tile_weight_gradient: .*\n {2}dispatch reduce_partials: /);
    expect(words).toMatch(/, [1-9][\d,]* bytes of workspace$/m);
  });

  test("tells which steps run only when the weights changed", () => {
    const problem = makeProblem(2, [1, 32, 24, 24], [32, 32, 3, 3], { padding: 1 });
    for (const direction of ["forward", "inputGradient"] as const) {
      const tiled = operationOf(direction, { problem });
      const explained = explain(tiled, select(tiled, DEFAULT_CAPABILITIES, "winograd"));
      expect(explained.dispatches.filter(({ packsWeights }) => packsWeights).map(({ kernel }) => kernel)).toEqual([
        "winograd_filter",
      ]);
      expect(String(explained)).toMatch(/dispatch winograd_filter: .* workgroups, once the weights changed\n/);
    }
    // The weight gradient transforms x and dy, and has no weights to read.
    const gradient = operationOf("weightGradient", { problem });
    const explained = explain(gradient, select(gradient, DEFAULT_CAPABILITIES, "winograd"));
    expect(explained.dispatches.some(({ packsWeights }) => packsWeights)).toBe(false);
  });

  test("counts converted weights among them, but not what is converted with them", () => {
    const problem = makeProblem(2, [1, 8, 9, 9], [8, 8, 3, 3]);
    const half = operationOf("forward", { problem, dtype: "float16" });
    const { dispatches } = explain(half, select(half, { ...DEFAULT_CAPABILITIES, shaderF16: false }, "direct"));
    expect(dispatches.map(({ kernel, packsWeights }) => [kernel, packsWeights])).toEqual([
      ["convert_half", false],
      ["convert_half", true],
      ["direct", false],
      ["convert_half", false],
    ]);
  });
});

describe("engine.explain", () => {
  const shapes = { input: [1, 3, 8, 8], weight: [4, 3, 3, 3] };

  test("answers for every operation", async () => {
    using engine = await createEngine({ backend: "cpu" });
    const directions = (["conv2d", "conv2dInputGradient", "conv2dWeightGradient", "conv2dBiasGradient"] as const).map(
      (operation) => engine.explain(operation, shapes, { padding: 1, bias: true }).direction,
    );
    expect(directions).toEqual(["forward", "inputGradient", "weightGradient", "biasGradient"]);
    expect(engine.explain("conv2d", shapes)).toMatchObject({ solver: "reference", deviceClass: undefined });
  });

  test("refuses what it does not know, and shapes that break a rule", async () => {
    using engine = await createEngine({ backend: "cpu" });
    expect(() => engine.explain("conv4d" as "conv2d", shapes)).toThrow(
      'operation is "conv4d"; expected conv1d, conv2d, conv3d, convTranspose2d... or one of their gradients',
    );
    expect(() => engine.explain("conv2d", { ...shapes, weight: [4, 2, 3, 3] })).toThrow(
      "weight has 2 input channels; expected 3 / 1 groups = 3",
    );
  });
});
