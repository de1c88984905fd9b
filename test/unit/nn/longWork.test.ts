/** Pooling and its kin go in parts where they would take long, as convolutions do. */
import { describe, expect, test } from "vitest";
import { averagePoolGradientOperation } from "../../../src/nn/operations/pooling/averagePoolGradient.js";
import { averagePoolOperation } from "../../../src/nn/operations/pooling/averagePool.js";
import { maxPoolGradientOperation } from "../../../src/nn/operations/pooling/maxPoolGradient.js";
import { maxPoolOperation } from "../../../src/nn/operations/pooling/maxPool.js";
import { readWindows } from "../../../src/nn/operations/pooling/windows.js";
import { padGradientOperation } from "../../../src/nn/operations/resizing/padGradient.js";
import { resizeGradientOperation } from "../../../src/nn/operations/resizing/resizeGradient.js";
import { readVolumes, resized } from "../../../src/nn/core/volumes.js";
import { DEFAULT_CAPABILITIES } from "../../../src/planning/capabilities.js";
import { inParts } from "../../../src/planning/parts.js";
import { selectTensorSolver, type TensorOperation } from "../../../src/planning/tensorOperation.js";

const SHAPE = [2, 64, 500, 500];
const X = { shape: SHAPE, dtype: "float32" } as const;
const WINDOWS = readWindows(2, SHAPE, { kernel: 61, stride: 1, padding: 30 });
const DIVISOR = { countIncludePad: true, fixed: undefined };
const POSITIONS = 2 * 64 * 500 * 500;

const planOf = (operation: TensorOperation) => selectTensorSolver(operation, DEFAULT_CAPABILITIES).plan;

const multiplyAddsOf = (operation: TensorOperation): number | undefined =>
  planOf(operation).dispatches.reduce<number | undefined>((_, step) => step.multiplyAdds, undefined);

describe("windows", () => {
  for (const operation of [
    averagePoolOperation(WINDOWS, X, DIVISOR),
    averagePoolGradientOperation(WINDOWS, X, DIVISOR),
    maxPoolOperation(WINDOWS, X, true),
    maxPoolGradientOperation(WINDOWS, X),
  ]) {
    test(`${operation.name} counts its taps, and goes in parts`, () => {
      expect(multiplyAddsOf(operation)).toBe(POSITIONS * 61 * 61);
      // A second by the model, of what moves its bytes in milliseconds.
      const { dispatches } = inParts(planOf(operation), () => 4 * POSITIONS, DEFAULT_CAPABILITIES, {
        longest: 10,
        slowness: 1,
      });
      expect(dispatches.length).toBeGreaterThan(4);
    });
  }

  test("a gradient counts the windows that may reach over a position", () => {
    const windows = readWindows(1, [1, 1, 1024], { kernel: 4, stride: 3, dilation: 2 });
    // 7 positions, from window to window 3.
    expect(multiplyAddsOf(maxPoolGradientOperation(windows, { shape: [1, 1, 1024], dtype: "float32" }))).toBe(3 * 1024);
  });
});

describe("gradients of resizing and padding", () => {
  const input = readVolumes("x", [1, 4, 8, 8], 2, undefined);
  const x = { shape: [1, 4, 8, 8], dtype: "float32" } as const;

  test("count the results that they sum", () => {
    const output = resized(input, [800, 80]);
    const axis = { step: 2, shift: -9, divisor: 20 };
    const resizing = { input, output, linear: true, axes: [axis, axis, axis] } as const;
    expect(multiplyAddsOf(resizeGradientOperation(resizing, x))).toBe(4 * 4 * 800 * 80);
    const padded = { input, output, mode: "replicate", padBegin: [0, 4, 4] } as const;
    expect(multiplyAddsOf(padGradientOperation(padded, x))).toBe(4 * 800 * 80);
  });
});
