/** ONNX backend tests, operators Conv and ConvTranspose: every rank, in the reference and on the engine. */
import { describe, expect, test } from "vitest";
import { compare, errorBound, type Rank, referencePass } from "webgpu-conv/reference";
import {
  checkGradients,
  comparePass,
  type ForwardCase,
  passOfCase,
  runByChoice,
  runByEverySolver,
  WITHIN_BOUND,
} from "../support/conformance.js";
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
    /** Only of ConvTranspose. */
    readonly outputPadding?: readonly number[];
  };
  readonly X: HostTensor;
  readonly W: HostTensor;
  readonly B: HostTensor | null;
  readonly Y: HostTensor;
}

function toForwardCase({ op, spatialRank, resolved, X, W, B, Y }: OnnxCase): ForwardCase {
  const { strides, dilations, group, padsBegin, padsEnd, outputPadding } = resolved;
  const padding = padsBegin.map((begin, axis) => [begin, padsEnd[axis]] as const);
  return {
    operation: op === "Conv" ? "conv" : "convTranspose",
    rank: spatialRank,
    dtype: "float32",
    input: X,
    weight: W,
    bias: B?.data,
    options: { stride: strides, dilation: dilations, groups: group, padding, ...(outputPadding && { outputPadding }) },
    expected: Y,
  };
}

const parseOnnx = (text: string): readonly OnnxCase[] => parseCases(text) as readonly OnnxCase[];

await withCorpus("onnx_conv.json", parseOnnx, (cases) => {
  describe("ONNX, the float64 reference", () => {
    test.each(cases)("$name", (onnxCase) => {
      const { problem, direction, operands, resultShape } = passOfCase(toForwardCase(onnxCase));
      expect(resultShape).toEqual(onnxCase.Y.shape);
      // The expected values were summed in float32, so they lie within its bound of the float64 ones.
      const bound = errorBound(problem, direction, operands);
      const result = referencePass(problem, direction, operands);
      expect(compare(onnxCase.Y.data, result, bound)).toMatchObject(WITHIN_BOUND);
    });
  });

  describe("ONNX, on the engine", () => {
    for (const onnxCase of cases) {
      const testCase = toForwardCase(onnxCase);
      const { operation, rank } = testCase;
      // In 1D the solvers' kernels are those of the other ranks with two axes of extent 1.
      const run = rank === 1 ? runByChoice : runByEverySolver;
      gpuTest(`${onnxCase.name}: forward${rank === 1 ? "" : " by every solver"}`, async ({ engine }) => {
        const { problem, direction, operands } = passOfCase(testCase);
        // Two float32 sums, each within the bound of the true value.
        const twice = errorBound(problem, direction, operands).map((bound) => 2 * bound);
        await run(engine, testCase, (actual, solver) => {
          expect(comparePass(problem, direction, operands, actual), solver).toMatchObject(WITHIN_BOUND);
          expect(compare(actual, testCase.expected.data, twice), solver).toMatchObject(WITHIN_BOUND);
        });
      });
      if (operation === "conv" && rank !== 2) continue;
      gpuTest(`${onnxCase.name}: both gradients`, async ({ engine }) => await checkGradients(engine, testCase));
    }
  });
});
