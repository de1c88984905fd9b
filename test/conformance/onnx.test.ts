/** ONNX backend tests, operator Conv: 2D on the engine, every rank in the reference. */
import { describe, expect, test } from "vitest";
import type { ConvOptions } from "webgpu-conv";
import { compare, errorBound, forward, makeProblem, type Rank } from "webgpu-conv/reference";
import { checkGradients, comparePass, problemOf, runByEverySolver, WITHIN_BOUND } from "../support/conformance.js";
import { parseCases, withCorpus } from "../support/corpora.js";
import { gpuTest } from "../support/gpuTest.js";
import type { HostTensor } from "../support/layout.js";

interface OnnxCase {
  readonly name: string;
  readonly op: "Conv" | "ConvTranspose";
  readonly spatialRank: Rank;
  readonly resolved: {
    readonly strides: readonly number[];
    readonly dilations: readonly number[];
    readonly group: number;
    readonly padsBegin: readonly number[];
    readonly padsEnd: readonly number[];
  };
  readonly X: HostTensor;
  readonly W: HostTensor;
  readonly B: HostTensor | null;
  readonly Y: HostTensor;
}

function toOptions({ strides, dilations, group, padsBegin, padsEnd }: OnnxCase["resolved"]): ConvOptions {
  const padding = padsBegin.map((begin, axis) => [begin, padsEnd[axis]] as const);
  return { stride: strides, dilation: dilations, groups: group, padding };
}

/** The values as a float32 device has them. */
const toFloat32 = ({ shape, data }: HostTensor): HostTensor => ({ shape, data: Float32Array.from(data) });

const convolutions = (text: string): OnnxCase[] =>
  (parseCases(text) as readonly OnnxCase[]).filter(({ op }) => op === "Conv");

await withCorpus("onnx_conv.json", convolutions, (cases) => {
  describe("ONNX Conv, the float64 reference", () => {
    test.each(cases)("$name", ({ spatialRank, resolved, X, W, B, Y }) => {
      const problem = makeProblem(spatialRank, X.shape, W.shape, toOptions(resolved));
      expect(problem.outputShape).toEqual(Y.shape);
      // The expected values were summed in float32, so they lie within its bound of the float64 ones.
      const [x, w, bias] = [toFloat32(X).data, toFloat32(W).data, B ? toFloat32(B).data : undefined];
      const bound = errorBound(problem, "forward", { x, w, bias });
      expect(compare(Y.data, forward(problem, x, w, { bias }), bound)).toMatchObject(WITHIN_BOUND);
    });
  });

  describe("ONNX Conv, 2D on the engine", () => {
    for (const { name, spatialRank, resolved, X, W, B, Y } of cases) {
      if (spatialRank !== 2) continue;
      const [input, weight, bias] = [toFloat32(X), toFloat32(W), B ? toFloat32(B).data : undefined];
      const testCase = { input, weight, bias, options: toOptions(resolved), expected: Y };
      const problem = problemOf(testCase);
      const operands = { x: input.data, w: weight.data, bias };
      gpuTest(`${name}: forward by every solver`, async ({ engine }) => {
        // Two float32 sums, each within the bound of the true value.
        const twice = errorBound(problem, "forward", operands).map((bound) => 2 * bound);
        await runByEverySolver(engine, testCase, (actual, solver) => {
          expect(comparePass(problem, "forward", operands, actual), solver).toMatchObject(WITHIN_BOUND);
          expect(compare(actual, Y.data, twice), solver).toMatchObject(WITHIN_BOUND);
        });
      });
      gpuTest(`${name}: both gradients`, async ({ engine }) => await checkGradients(engine, testCase));
    }
  });
});
