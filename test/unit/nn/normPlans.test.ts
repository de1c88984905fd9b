/** Which normalisations hold their sets in registers. */
import { describe, expect, test } from "vitest";
import { normGradientOperation } from "../../../src/nn/operations/norm/backward.js";
import { normOperation } from "../../../src/nn/operations/norm/forward.js";
import type { Norm } from "../../../src/nn/operations/norm/norm.js";
import { normShape, type NormShape } from "../../../src/nn/operations/norm/normShape.js";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../../src/planning/capabilities.js";
import { selectTensorSolver, type TensorOperation } from "../../../src/planning/tensorOperation.js";

const LIMITS = {
  ...DEFAULT_CAPABILITIES.limits,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupSizeX: 1024,
};
const XE: Capabilities = { ...DEFAULT_CAPABILITIES, deviceClass: "intel-xe-lp", limits: LIMITS };
const ALL = { dx: true, weightGradient: true, biasGradient: true, residualGradient: false };

const rows = (samples: number, channels: number): NormShape => {
  return { samples, channels, positions: 1, channelsLast: true, groups: 1 };
};

function norm(shape: NormShape, parts: Partial<Norm["parts"]> = {}): Norm {
  return {
    ...{ name: "norm", shape, parameterShape: [shape.channels], eps: 1e-5, statistics: "own", momentum: 0 },
    x: { shape: [shape.samples, shape.channels, shape.positions], dtype: "float32" },
    parts: { weight: true, bias: true, residual: false, ...parts },
    activation: { name: "none" },
  };
}

const solverOf = (operation: TensorOperation, capabilities: Capabilities): string =>
  selectTensorSolver(operation, capabilities).plan.solver;

describe("what fits a workgroup's registers", () => {
  test("is read once, and what has one value more is not", () => {
    expect(solverOf(normOperation(norm(rows(9, 16_384))), XE)).toBe("one-read");
    expect(solverOf(normOperation(norm(rows(9, 16_385))), XE)).toBe("two-pass");
    expect(solverOf(normGradientOperation(norm(rows(9, 4096)), ALL), XE)).toBe("one-read");
    expect(solverOf(normGradientOperation(norm(rows(9, 4100)), ALL), XE)).toBe("sums");
    const { passedOver } = selectTensorSolver(normOperation(norm(rows(9, 16_385))), XE);
    expect(passedOver).toEqual([
      { solver: "one-read", reason: "9 sets of 16385 values do not fit the registers of a workgroup each" },
    ]);
  });

  test("is less in workgroups of fewer threads", () => {
    const narrow = { ...XE, limits: DEFAULT_CAPABILITIES.limits };
    expect(solverOf(normOperation(norm(rows(9, 4096))), narrow)).toBe("one-read");
    expect(solverOf(normOperation(norm(rows(9, 4100))), narrow)).toBe("two-pass");
  });

  test("is less where few channels of a set lie together", () => {
    const shape = normShape([32, 56, 56, 64], "channels-last", 32);
    const { plan, passedOver } = selectTensorSolver(normOperation(norm(shape)), XE);
    expect(plan.solver).toBe("two-pass");
    expect(passedOver[0].reason).toContain("1024 sets of 6272 values, 8 of which lie side by side, do not fit");
    expect(solverOf(normOperation(norm(normShape([32, 7, 7, 512], "channels-last", 32))), XE)).toBe("one-read");
  });
});

describe("gradients", () => {
  test("of weights and biases alone take sums alone", () => {
    const wanted = { ...ALL, dx: false };
    expect(solverOf(normGradientOperation(norm(rows(9, 64)), wanted), XE)).toBe("sums");
  });

  test("have partial sums of at most a twelfth of what they move anyway", () => {
    for (const [samples, channels] of [
      [6272, 768],
      [200, 96],
      [100_000, 64],
    ] as const) {
      const { plan } = selectTensorSolver(normGradientOperation(norm(rows(samples, channels)), ALL), XE);
      expect(plan.dispatches.map(({ kernel }) => kernel.name)).toEqual([
        "normalize_sets_gradient",
        "combine_norm_sums",
      ]);
      expect(2 * (plan.scratchBytes.partials ?? 0)).toBeLessThanOrEqual((3 * 4 * samples * channels) / 12 + 1);
    }
  });

  test("bind no more than the device does", () => {
    const all = { ...ALL, residualGradient: true };
    const fused: Norm = { ...norm(rows(9, 64), { residual: true }), activation: { name: "relu" } };
    expect(solverOf(normGradientOperation(fused, all), XE)).toBe("sums");
    const wide = { ...XE, limits: { ...LIMITS, maxStorageBuffersPerShaderStage: 10 } };
    expect(solverOf(normGradientOperation(fused, all), wide)).toBe("one-read");
  });
});
