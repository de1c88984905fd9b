/** Locally connected layers, bit for bit on small integers. */
import { expect } from "vitest";
import type { ConvOptions } from "webgpu-conv";
import {
  makeProblem,
  makeUnsharedProblem,
  unsharedForward,
  unsharedInputGradient,
  unsharedWeightGradient,
} from "webgpu-conv/reference";
import { product } from "../../src/problem/geometry.js";
import { Random, smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";

const CASES: readonly (readonly [string, number[], number[], ConvOptions])[] = [
  ["strided, grouped", [2, 4, 6, 5], [6, 2, 3, 3], { padding: 1, stride: 2, groups: 2 }],
  ["dilated, reflected", [2, 3, 5, 5], [4, 3, 3, 2], { padding: 1, paddingMode: "reflect", dilation: [1, 2] }],
  ["channels last", [1, 5, 4, 3], [2, 3, 2, 2], { layout: "channels-last" }],
];

// Sums of these stay below 2,048, up to which float16 has every integer.
const TYPED = CASES.flatMap((layer) => (["float32", "float16"] as const).map((dtype) => [dtype, ...layer] as const));

for (const [dtype, name, input, filter, options] of TYPED) {
  gpuTest(`${name}, ${dtype}: forward and both gradients`, async ({ engine }) => {
    const shared = makeProblem(2, input, filter, options);
    const weight = [...shared.output.slice(1), ...filter];
    const problem = makeUnsharedProblem(2, input, weight, options);
    const random = new Random(5);
    const [x, w, dy] = [input, weight, problem.outputShape].map((shape) => smallIntegers(random, product(shape)));
    using xTensor = engine.tensor(x, input, { dtype });
    using wTensor = engine.tensor(w, weight, { dtype });
    using dyTensor = engine.tensor(dy, problem.outputShape, { dtype });
    using y = engine.locallyConnected2d(xTensor, wTensor, options);
    using dx = engine.locallyConnected2dInputGradient(dyTensor, wTensor, input, options);
    using dw = engine.locallyConnected2dWeightGradient(dyTensor, xTensor, weight, options);
    expect(exactMismatch(await y.data(), unsharedForward(problem, x, w))).toBeUndefined();
    expect(exactMismatch(await dx.data(), unsharedInputGradient(problem, dy, w))).toBeUndefined();
    expect(exactMismatch(await dw.data(), unsharedWeightGradient(problem, dy, x))).toBeUndefined();
  });
}
