/** WebNN's test vectors as cases of the engine, and how far a result may lie from the expected one. */
import { expect } from "vitest";
import type { DType, TransposedWeightLayout, WeightLayout } from "webgpu-conv";
import { errorBound, referencePass, UNIT_ROUNDOFF, winogradErrorBound } from "webgpu-conv/reference";
import { type ForwardCase, passOfCase } from "./conformance.js";
import { parseCases } from "./corpora.js";
import { type HostTensor, permute } from "./layout.js";
import { largestUlpDistance } from "./ulp.js";

/** One case of a file, with the options' defaults filled in. */
export interface WebnnCase {
  readonly name: string;
  readonly dtype: DType;
  /** In web-platform-tests' cases: how far a result may lie from the expected one. */
  readonly ulpTolerance?: number;
  readonly resolved: {
    readonly padding: readonly [top: number, bottom: number, left: number, right: number];
    readonly strides: readonly number[];
    readonly dilations: readonly number[];
    readonly groups: number;
    readonly inputLayout: "nchw" | "nhwc";
    readonly filterLayout: "oihw" | "hwio" | "ohwi" | "ihwo" | "iohw" | "hwoi";
    /** Only of a transposed convolution; sizes come before padding. */
    readonly outputPadding?: readonly number[];
    readonly outputSizes?: readonly number[] | null;
  };
  readonly input: HostTensor;
  readonly filter: HostTensor;
  readonly bias: HostTensor | null;
  readonly expected: HostTensor;
}

export const parseWebnn = (text: string): readonly WebnnCase[] => parseCases(text) as readonly WebnnCase[];

/** The case as it stands: its own layouts and dtype. */
export function toNativeCase(webnnCase: WebnnCase, operation: ForwardCase["operation"] = "conv"): ForwardCase {
  const { dtype, resolved, input, filter, bias, expected } = webnnCase;
  const { padding, strides, dilations, groups, inputLayout, filterLayout, outputPadding, outputSizes } = resolved;
  const [top, bottom, left, right] = padding;
  const options: ForwardCase["options"] = {
    padding: [
      [top, bottom],
      [left, right],
    ],
    stride: strides,
    dilation: dilations,
    groups,
    layout: inputLayout === "nhwc" ? "channels-last" : "channels-first",
    weightLayout: filterLayout.toUpperCase() as WeightLayout | TransposedWeightLayout,
    ...(outputSizes ? { outputSize: outputSizes } : outputPadding && { outputPadding }),
  };
  return { operation, rank: 2, dtype, input, weight: filter, bias: bias?.data, options, expected };
}

/** A case of conv2d with its tensors moved to the engine's default layouts. */
export function toPermutedCase(webnnCase: WebnnCase): ForwardCase {
  const { inputLayout, filterLayout } = webnnCase.resolved;
  const { options, ...native } = toNativeCase(webnnCase);
  return {
    ...native,
    input: permute(native.input, inputLayout, "nchw"),
    weight: permute(native.weight, filterLayout, "oihw"),
    options: { ...options, layout: "channels-first", weightLayout: "OIHW" },
    expected: permute(native.expected, inputLayout, "nchw"),
  };
}

/** Fails unless the result lies within the case's own tolerance of the expected one, counted in its own dtype. */
export function expectWithinUlps(
  { ulpTolerance = 0 }: WebnnCase,
  { dtype, expected }: ForwardCase,
  actual: ArrayLike<number>,
  solver: string,
): void {
  expect(largestUlpDistance(actual, expected.data, dtype), solver).toBeLessThanOrEqual(ulpTolerance);
}

/** Fails unless each element lies within its tolerance of the expected one. */
export function expectWithin(
  tolerances: readonly number[],
  { expected }: ForwardCase,
  actual: ArrayLike<number>,
  solver: string,
): void {
  expect(actual.length, solver).toBe(tolerances.length);
  for (const [i, tolerance] of tolerances.entries()) {
    const error = Math.abs(actual[i] - expected.data[i]);
    expect(error, `${solver}, element ${String(i)}`).toBeLessThanOrEqual(tolerance);
  }
}

/**
 * Sums of small integers are exact. Otherwise two correct results, the engine's and the expected one, lie at most
 * the bound of float32 summation from the true one each; the expected one is rounded to float32 once more.
 *
 * @param tile Winograd's, where the engine's result is by one: it has a bound of its own, for integers too
 */
export function baselineTolerances(testCase: ForwardCase, tile?: 2 | 4): number[] {
  const { problem, direction, operands } = passOfCase(testCase);
  const magnitudes: typeof operands = Object.fromEntries(
    Object.entries(operands as Record<string, Float32Array | undefined>).map(([role, values]) => {
      return [role, values?.map(Math.abs)];
    }),
  );
  const whole = [testCase.input.data, testCase.weight.data, testCase.bias ?? []].every((values) => {
    return Array.from(values).every(Number.isInteger);
  });
  const exact = whole && referencePass(problem, direction, magnitudes).every((sum) => sum < 1 / UNIT_ROUNDOFF);
  const bounds = errorBound(problem, direction, operands);
  if (tile && direction !== "biasGradient") {
    const own = winogradErrorBound(problem, direction, operands, tile);
    return Array.from(own, (bound, i) => bound + bounds[i] + Math.abs(testCase.expected.data[i]) * UNIT_ROUNDOFF);
  }
  return Array.from(bounds, (bound, i) =>
    exact ? 0 : 2 * bound + Math.abs(testCase.expected.data[i]) * UNIT_ROUNDOFF,
  );
}
