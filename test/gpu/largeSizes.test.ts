/** Sizes as audio, vocoders and video have them: long filters, long strides, a whole volume. Exact, on small integers. */
import type { Tensor } from "webgpu-conv";
import { forward, inputGradient, makeProblem, makeTransposedProblem, weightGradient } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { product } from "../../src/problem/geometry.js";
import { Random, smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";

const fill = (seed: number, shape: readonly number[]): Float32Array => smallIntegers(new Random(seed), product(shape));

async function expectExact(results: Readonly<Record<string, readonly [Tensor, Float64Array]>>): Promise<void> {
  for (const [pass, [tensor, wanted]] of Object.entries(results)) {
    expect(exactMismatch(await tensor.data(), wanted), pass).toBeUndefined();
    tensor.dispose();
  }
}

describe("1D", () => {
  gpuTest("audio: 480,000 samples, 1,024 taps, stride 256, all passes", async ({ engine }) => {
    const [inputShape, weightShape, options] = [[1, 1, 480_000], [3, 1, 1024], { stride: 256 }] as const;
    const problem = makeProblem(1, inputShape, weightShape, options);
    const [x, w, dy] = [fill(1, inputShape), fill(2, weightShape), fill(3, problem.outputShape)];
    using input = engine.tensor(x, inputShape);
    using weight = engine.tensor(w, weightShape);
    using gradient = engine.tensor(dy, problem.outputShape);
    await expectExact({
      forward: [engine.conv1d(input, weight, options), forward(problem, x, w)],
      dx: [engine.conv1dInputGradient(gradient, weight, inputShape, options), inputGradient(problem, dy, w)],
      dw: [engine.conv1dWeightGradient(gradient, input, weightShape, options), weightGradient(problem, dy, x)],
    });
  });

  gpuTest("transposed: 4,098 taps, stride 1,024, all passes", async ({ engine }) => {
    const [inputShape, weightShape, options] = [[1, 6, 50], [6, 2, 4098], { stride: 1024, padding: 1 }] as const;
    const problem = makeTransposedProblem(1, inputShape, weightShape, options);
    const [x, w, dy] = [fill(4, inputShape), fill(5, weightShape), fill(6, problem.inputShape)];
    using input = engine.tensor(x, inputShape);
    using weight = engine.tensor(w, weightShape);
    using gradient = engine.tensor(dy, problem.inputShape);
    await expectExact({
      forward: [engine.convTranspose1d(input, weight, options), inputGradient(problem, x, w)],
      dx: [engine.convTranspose1dInputGradient(gradient, weight, inputShape, options), forward(problem, dy, w)],
      dw: [engine.convTranspose1dWeightGradient(gradient, input, weightShape, options), weightGradient(problem, x, dy)],
    });
  });

  gpuTest("transposed: a result is computed from the taps that reach it, and no others", ({ engine }) => {
    const explanation = engine.explain(
      "convTranspose1d",
      { input: [1, 512, 400], weight: [512, 1, 4098] },
      { stride: 1024, solver: "register-tile" },
    );
    // One launch, in phases: each takes every 1,024th tap, 5 of 4,098.
    expect(explanation.dispatches).toHaveLength(1);
    expect(explanation.dispatches[0].constants).toMatchObject({ KERNEL_WIDTH: 4098, TAP_STEP_WIDTH: 1024 });
    const { THREADS, M_PER_THREAD, N_PER_THREAD } = explanation.dispatches[0].constants as Readonly<
      Record<string, number>
    >;
    const terms = Math.ceil(4098 / 1024) * 512;
    const multiplyAdds = product(explanation.dispatches[0].workgroups) * THREADS * M_PER_THREAD * N_PER_THREAD * terms;
    expect(multiplyAdds).toBeLessThan(2 * (explanation.flops / 2));
  });
});

describe("3D", () => {
  gpuTest("16 x 32 x 112 x 112, 3x3x3: each result counts the taps that lie inside", async ({ engine }) => {
    const [channels, depth, height, width] = [16, 32, 112, 112];
    const shape = [1, channels, depth, height, width];
    using x = engine.tensor(new Float32Array(product(shape)).fill(1), shape);
    using w = engine.tensor(new Float32Array(channels * channels * 27).fill(1), [channels, channels, 3, 3, 3]);
    using y = engine.conv3d(x, w, { padding: 1 });
    const values = await y.data();
    const inside = (at: number, size: number): number => (at === 0 || at === size - 1 ? 2 : 3);
    const wrong = values.findIndex((value, i) => {
      const column = inside(i % width, width);
      const row = inside(Math.floor(i / width) % height, height);
      const slice = inside(Math.floor(i / (width * height)) % depth, depth);
      return value !== channels * slice * row * column;
    });
    expect(wrong).toBe(-1);
    expect(values).toHaveLength(product(shape));
  });
});
