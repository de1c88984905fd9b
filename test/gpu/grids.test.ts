/** Work of more than 65,535 workgroups is folded into a grid, and every part of it is done once. */
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { solversFor } from "../../src/select.js";
import { isRefusal } from "../../src/solver.js";
import { Random, smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import { expectedResults, makeValues, operationName, operationsOf } from "../support/operations.js";

const LIMIT = 65_535;

describe("a group a workgroup, more groups than a grid's dimension", () => {
  const groups = 66_000;
  const problem = makeProblem(2, [1, groups, 1, 1], [groups, 1, 1, 1], { groups });
  const operations = operationsOf(problem).filter(({ direction, bias, activation }) => {
    return activation === "none" ? direction === "biasGradient" || direction === "inputGradient" : bias;
  });
  for (const operation of operations) {
    for (const solver of solversFor(operation)) {
      gpuTest(`${operationName(operation)} by ${solver.name}`, async ({ runner, capabilities }) => {
        const [config] = solver.configs(operation, capabilities);
        const plan = solver.plan(operation, capabilities, config);
        if (isRefusal(plan)) throw new Error(plan.refused);
        for (const { workgroups } of plan.dispatches) expect(Math.max(...workgroups)).toBeLessThanOrEqual(LIMIT);
        const values = makeValues(problem, 2, smallIntegers);
        const results = await runner.run(operation, plan, values);
        expectedResults(operation, values).forEach((expected, i) => {
          expect(exactMismatch(results[i], expected)).toBeUndefined();
        });
      });
    }
  }
});

gpuTest("4.2 million results, 64 a workgroup", async ({ engine }) => {
  const shape = [1, 1, 2050, 2050];
  const solver = "direct";
  const [dispatch] = engine.explain("conv2d", { input: shape, weight: [1, 1, 1, 1] }, { solver }).dispatches;
  const [columns, rows] = dispatch.workgroups;
  expect(rows).toBeGreaterThan(1);
  expect(columns).toBeLessThanOrEqual(LIMIT);
  expect(columns * rows * 64).toBeGreaterThanOrEqual(2050 * 2050);
  const values = smallIntegers(new Random(6), 2050 * 2050);
  using x = engine.tensor(values, shape);
  using w = engine.tensor([3], [1, 1, 1, 1]);
  using y = engine.conv2d(x, w, { solver });
  // -4 * 3 and the like; adding 0 turns a product of -0 into the sum's 0.
  expect(
    exactMismatch(
      await y.data(),
      values.map((value) => 0 + 3 * value),
    ),
  ).toBeUndefined();
});
