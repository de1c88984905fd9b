/** Strides, dilations and padding up to the largest: exact in every solver, and in a batch with others. */
import { LimitError } from "webgpu-conv";
import { forward, inputGradient, makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { sumsProducts } from "../../src/problem/operation.js";
import { solversFor } from "../../src/solvers/select.js";
import { isRefusal } from "../../src/planning/solver.js";
import { planFor } from "../../src/solvers/passes/conversions.js";
import { Random, smallIntegers } from "../support/data.js";
import { extremeProblem, LARGEST } from "../support/extremeProblem.js";
import { gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import { expectedResults, makeValues, operationName, operationsOf } from "../support/operations.js";
import { describeProblem } from "../support/randomProblem.js";

/** With zeros and with replicated edges, before the input and beyond it, one long step or both: of hundreds that were tried. */
const SEEDS = [11, 19, 25, 39];

describe("random extreme problems, each pass by every solver that takes it", () => {
  for (const seed of SEEDS) {
    const drawn = extremeProblem(new Random(seed));
    gpuTest(`seed ${String(seed)}: ${describeProblem(drawn)}`, async ({ runner, capabilities }) => {
      const problem = makeProblem(2, drawn.input, drawn.weight, drawn.options);
      const values = makeValues(problem, seed, smallIntegers);
      for (const operation of operationsOf(problem)) {
        const { bias, masked } = operation;
        if (bias || masked || !sumsProducts(operation)) continue;
        const [expected] = expectedResults(operation, values);
        for (const solver of solversFor(operation)) {
          // They take a software device seconds each to compile; their index arithmetic is the others'.
          if (capabilities.deviceClass === "software" && solver.usesWorkgroupMemory === true) continue;
          const [config] = solver.configs(operation, capabilities);
          const plan = planFor(solver, operation, capabilities, config);
          if (isRefusal(plan)) continue;
          const [result] = await runner.run(operation, plan, values);
          expect(exactMismatch(result, expected), `${operationName(operation)} by ${solver.name}`).toBeUndefined();
        }
      }
    });
  }
});

describe("the engine's own choice", () => {
  const [x, w] = [smallIntegers(new Random(1), 64), [1, 2, 3, 4, 5, 6, 7, 8, 9]];
  const [input, weight] = [
    [1, 1, 8, 8],
    [1, 1, 3, 3],
  ];

  for (const stride of [3000, 1e6, LARGEST]) {
    gpuTest(`an input gradient of stride ${String(stride)} leaves its neighbours alone`, async ({ engine }) => {
      using plain = engine.tensor(x, input);
      using filter = engine.tensor(w, weight);
      using dy = engine.tensor([3], [1, 1, 1, 1]);
      using before = engine.conv2d(plain, filter);
      using dx = engine.conv2dInputGradient(dy, filter, input, { stride });
      using after = engine.conv2d(plain, filter);
      const expected = forward(makeProblem(2, input, weight), x, w);
      expect(exactMismatch(await before.data(), expected), "before").toBeUndefined();
      expect(exactMismatch(await after.data(), expected), "after").toBeUndefined();
      const problem = makeProblem(2, input, weight, { stride });
      expect(exactMismatch(await dx.data(), inputGradient(problem, [3], w)), "dx").toBeUndefined();
    });
  }

  gpuTest("what no call can hold is explained in the words that the call throws", ({ engine, capabilities }) => {
    using plain = engine.tensor(x, input);
    using filter = engine.tensor(w, weight);
    for (const options of [{ padding: 1e6 }, { padding: LARGEST, stride: 5 }]) {
      const { limit = "" } = engine.explain("conv2d", { input, weight }, options);
      expect(limit).toMatch(
        /^the result of shape \[1, 1, \d+, \d+\] needs [\d,]+ bytes; a tensor on .* holds at most [\d,]+ bytes \(max\w+\)$/,
      );
      expect(() => engine.conv2d(plain, filter, options)).toThrow(new LimitError(limit));
    }
    const most = Math.min(capabilities.limits.maxBufferSize, capabilities.limits.maxStorageBufferBindingSize);
    const batch = Math.floor(most / 256);
    const explanation = engine.explain("conv2dInputGradient", { input: [batch + 1, 1, 8, 8], weight });
    expect(explanation.limit).toMatch(/^the result of shape/);
    expect(String(explanation)).toContain(`\ncannot run: ${String(explanation.limit)}\n`);
    expect(engine.explain("conv2d", { input: [batch + 1, 1, 8, 8], weight }).limit).toMatch(/^an operand of shape/);
    expect(engine.explain("conv2d", { input: [batch, 1, 8, 8], weight }).limit).toBeUndefined();
  });

  gpuTest("positions beyond 32 bits are refused by the call, and explained", ({ engine }) => {
    const shape = [1, 1, 1_000_000];
    const options = { stride: 1000, padding: LARGEST };
    using line = engine.tensor(new Float32Array(1_000_000), shape);
    using tap = engine.tensor([1], [1, 1, 1]);
    expect(() => engine.conv1d(line, tap, options)).toThrow(LimitError);
    const explanation = engine.explain("conv1d", { input: shape, weight: [1, 1, 1] }, options);
    expect(explanation).toMatchObject({ solver: "none", dispatches: [] });
    expect(explanation.limit).toMatch(/^stride 1000, dilation 1 and padding .* must stay below 2\^31$/);
    // Nothing was recorded, and the engine goes on.
    using y = engine.conv1d(line, tap, { stride: 500_000 });
    expect(y.shape).toEqual([1, 1, 2]);
  });

  gpuTest("stride 2^30 with the most padding reads what lies at 2^30 and 2^31", async ({ engine }) => {
    const options = { stride: 2 ** 30, padding: LARGEST };
    const problem = makeProblem(2, input, weight, options);
    const dy = smallIntegers(new Random(2), 25);
    using plain = engine.tensor(x, input);
    using filter = engine.tensor(w, weight);
    using gradient = engine.tensor(dy, problem.outputShape);
    using y = engine.conv2d(plain, filter, options);
    using dx = engine.conv2dInputGradient(gradient, filter, input, options);
    const expected = forward(problem, x, w);
    expect(expected.some((value) => value !== 0)).toBe(true);
    expect(exactMismatch(await y.data(), expected), "y").toBeUndefined();
    expect(exactMismatch(await dx.data(), inputGradient(problem, dy, w)), "dx").toBeUndefined();
  });
});
