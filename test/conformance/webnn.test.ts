/** WebNN's conv2d: the conformance tests of web-platform-tests, and the unit tests of its reference implementation. */
import { describe, expect } from "vitest";
import { errorBound, forward, UNIT_ROUNDOFF } from "webgpu-conv/reference";
import { checkGradients, type ForwardCase, problemOf, runByEverySolver } from "../support/conformance.js";
import { parseCases, withCorpus } from "../support/corpora.js";
import { gpuTest } from "../support/gpuTest.js";
import { type HostTensor, permute } from "../support/layout.js";
import { largestUlpDistance } from "../support/ulp.js";

interface WebnnCase {
  readonly name: string;
  readonly dtype: "float32" | "float16";
  /** In web-platform-tests' cases: how far a result may lie from the expected one. */
  readonly ulpTolerance?: number;
  readonly resolved: {
    readonly padding: readonly [top: number, bottom: number, left: number, right: number];
    readonly strides: readonly number[];
    readonly dilations: readonly number[];
    readonly groups: number;
    readonly inputLayout: "nchw" | "nhwc";
    readonly filterLayout: "oihw" | "hwio" | "ohwi" | "ihwo";
  };
  readonly input: HostTensor;
  readonly filter: HostTensor;
  readonly bias: HostTensor | null;
  readonly expected: HostTensor;
}

function toForwardCase({ resolved, input, filter, bias, expected }: WebnnCase): ForwardCase {
  const { padding, strides, dilations, groups, inputLayout, filterLayout } = resolved;
  const [top, bottom, left, right] = padding;
  const pads = [
    [top, bottom],
    [left, right],
  ] as const;
  return {
    input: permute(input, inputLayout, "nchw"),
    weight: permute(filter, filterLayout, "oihw"),
    bias: bias?.data,
    options: { padding: pads, stride: strides, dilation: dilations, groups },
    expected: permute(expected, inputLayout, "nchw"),
  };
}

const float32Cases = (text: string): WebnnCase[] =>
  (parseCases(text) as readonly WebnnCase[]).filter(({ dtype }) => dtype === "float32");

await withCorpus("webnn_conv2d.json", float32Cases, (cases) => {
  describe("web-platform-tests, conv2d in float32", () => {
    for (const webnnCase of cases) {
      const testCase = toForwardCase(webnnCase);
      gpuTest(`${webnnCase.name}: forward within its ULP tolerance by every solver`, async ({ engine }) => {
        await runByEverySolver(engine, testCase, (actual, solver) => {
          const distance = largestUlpDistance(actual, testCase.expected.data);
          expect(distance, solver).toBeLessThanOrEqual(webnnCase.ulpTolerance ?? 0);
        });
      });
      gpuTest(`${webnnCase.name}: both gradients`, async ({ engine }) => await checkGradients(engine, testCase));
    }
  });
});

await withCorpus("webnn_baseline_conv2d.json", float32Cases, (cases) => {
  describe("webnn-baseline, conv2d", () => {
    for (const webnnCase of cases) {
      const testCase = toForwardCase(webnnCase);
      gpuTest(`${webnnCase.name}: forward by every solver`, async ({ engine }) => {
        const tolerances = baselineTolerances(testCase);
        await runByEverySolver(engine, testCase, (actual, solver) => {
          for (const [i, tolerance] of tolerances.entries()) {
            const error = Math.abs(actual[i] - testCase.expected.data[i]);
            expect(error, `${solver}, element ${String(i)}`).toBeLessThanOrEqual(tolerance);
          }
        });
      });
      gpuTest(`${webnnCase.name}: both gradients`, async ({ engine }) => await checkGradients(engine, testCase));
    }
  });
});

/**
 * Sums of small integers are exact. Otherwise two correct results, the engine's and the expected one, lie at most
 * the bound of float32 summation from the true one each; the expected one is rounded to float32 once more.
 */
function baselineTolerances(testCase: ForwardCase): number[] {
  const { input, weight, bias, expected } = testCase;
  const problem = problemOf(testCase);
  const operands = { x: input.data, w: weight.data, bias };
  const values = [...Array.from(input.data), ...Array.from(weight.data), ...Array.from(bias ?? [])];
  const magnitudes = forward(problem, Array.from(input.data, Math.abs), Array.from(weight.data, Math.abs));
  const exact = values.every(Number.isInteger) && magnitudes.every((sum) => sum < 1 / UNIT_ROUNDOFF);
  const bounds = errorBound(problem, "forward", operands);
  return Array.from(bounds, (bound, i) => (exact ? 0 : 2 * bound + Math.abs(expected.data[i]) * UNIT_ROUNDOFF));
}
