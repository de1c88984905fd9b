/** Work of more than 65,535 workgroups is folded into a grid, and every part of it is done once. */
import { type ConvProblem, makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import type { ConvOperation } from "../../src/problem/operation.js";
import { solversFor } from "../../src/solvers/select.js";
import { isRefusal, type ListedSolver } from "../../src/planning/solver.js";
import { Random, smallIntegers } from "../support/data.js";
import { type GpuFixtures, gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import { expectedResults, makeValues, operationName, operationsOf } from "../support/operations.js";

/** Workgroups along a dimension that every WebGPU device takes. */
const LIMIT = 65_535;

/** A layer of one channel a group: a workgroup a group, in all but the direct solvers. */
const groupedProblem = (groups: number): ConvProblem =>
  makeProblem(2, [1, groups, 1, 1], [groups, 1, 1, 1], { groups });

/** Each direction once. */
const operationsWithin = (problem: ConvProblem): ConvOperation[] =>
  operationsOf(problem).filter(({ direction, bias, activation, masked }) => {
    return activation.name === "none" && !masked ? direction === "biasGradient" || direction === "inputGradient" : bias;
  });

/** Runs the solver as if the device took at most `limit` workgroups along a dimension. */
async function expectFolded(
  { runner, capabilities }: Pick<GpuFixtures, "runner" | "capabilities">,
  solver: ListedSolver,
  operation: ConvOperation,
  limit: number,
): Promise<void> {
  const limits = { ...capabilities.limits, maxComputeWorkgroupsPerDimension: limit };
  const limited = { ...capabilities, limits };
  const plan = solver.plan(operation, limited, solver.configs(operation, limited)[0]);
  if (isRefusal(plan)) throw new Error(plan.refused);
  for (const { workgroups } of plan.dispatches) expect(Math.max(...workgroups)).toBeLessThanOrEqual(limit);
  expect(plan.dispatches[0].workgroups[1], "rows of the grid").toBeGreaterThan(1);
  const values = makeValues(operation.problem, 2, smallIntegers);
  const results = await runner.run(operation, plan, values);
  expectedResults(operation, values).forEach((expected, i) => {
    expect(exactMismatch(results[i], expected)).toBeUndefined();
  });
}

const takes = (solver: ListedSolver, operation: ConvOperation): boolean => {
  const [config] = solver.configs(operation, DEFAULT_CAPABILITIES);
  return !isRefusal(solver.plan(operation, DEFAULT_CAPABILITIES, config));
};

describe("every solver, as on a device of at most 65 workgroups along a dimension", () => {
  for (const operation of operationsWithin(groupedProblem(4200))) {
    for (const solver of solversFor(operation).filter((one) => takes(one, operation))) {
      gpuTest(`${operationName(operation)} by ${solver.name}`, async ({ runner, capabilities }) => {
        await expectFolded({ runner, capabilities }, solver, operation, 65);
      });
    }
  }
});

describe("66,000 workgroups", () => {
  for (const operation of operationsWithin(groupedProblem(66_000))) {
    for (const solver of solversFor(operation)) {
      // The others take a software device seconds, for barriers or for lack of as many workgroups.
      if (solver.name !== "register-tile") continue;
      gpuTest(`${operationName(operation)} by ${solver.name}`, async ({ runner, capabilities }) => {
        await expectFolded({ runner, capabilities }, solver, operation, LIMIT);
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
