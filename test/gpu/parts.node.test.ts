/**
 * Dispatches in parts give the bits of whole ones: every solver in every direction, on grids of one row and of several. In Node
 * alone, since it compiles every kernel; test/gpu/longWork cuts dispatches on every platform.
 */
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { cut } from "../../src/planning/parts.js";
import { isRefusal, type SolverPlan } from "../../src/planning/solver.js";
import type { ConvOperation } from "../../src/problem/operation.js";
import { solversFor } from "../../src/solvers/select.js";
import { planFor } from "../../src/solvers/passes/conversions.js";
import { reals } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { makeValues, operationName, operationsOf } from "../support/operations.js";

const PROBLEMS = {
  "3x3": makeProblem(2, [2, 8, 17, 13], [12, 8, 3, 3], { padding: 1 }),
  strided: makeProblem(2, [2, 8, 17, 13], [12, 8, 3, 3], { padding: 1, stride: 2 }),
  pointwise: makeProblem(2, [2, 16, 12, 12], [20, 16, 1, 1]),
  "of 200 groups": makeProblem(2, [1, 200, 5, 3], [200, 1, 3, 3], { padding: 1, groups: 200 }),
  "with circular padding": makeProblem(2, [2, 5, 9, 11], [7, 5, 3, 3], { padding: 1, paddingMode: "circular" }),
};

/** Workgroups of a part. */
const MOST = 3;

/** A plan whose dispatches have at most so many workgroups each. */
function inPieces(plan: SolverPlan, most: number): SolverPlan {
  const dispatches = plan.dispatches.flatMap((step) => {
    const [columns, rows] = step.workgroups;
    return cut({ ...step, milliseconds: columns * rows }, most, 1);
  });
  return { ...plan, dispatches };
}

const operationsWithin = (problem: (typeof PROBLEMS)["3x3"]): ConvOperation[] =>
  operationsOf(problem).filter(({ direction, bias, activation, masked }) => {
    return activation.name === "none" && !masked ? direction === "biasGradient" || direction === "inputGradient" : bias;
  });

for (const [name, problem] of Object.entries(PROBLEMS)) {
  describe(name, () => {
    for (const operation of operationsWithin(problem)) {
      for (const solver of solversFor(operation)) {
        const [config] = solver.configs(operation, DEFAULT_CAPABILITIES);
        if (isRefusal(planFor(solver, operation, DEFAULT_CAPABILITIES, config))) continue;
        gpuTest(`${operationName(operation)} by ${solver.name}`, async ({ runner, capabilities }) => {
          const limits = { ...capabilities.limits, maxComputeWorkgroupsPerDimension: 53 };
          const limited = { ...capabilities, limits };
          const plan = solver.plan(operation, limited, solver.configs(operation, limited)[0]);
          if (isRefusal(plan)) throw new Error(plan.refused);
          const parts = inPieces(plan, MOST);
          for (const { workgroups } of parts.dispatches)
            expect(workgroups[0] * workgroups[1]).toBeLessThanOrEqual(MOST);
          const values = makeValues(problem, 7, reals);
          const whole = await runner.run(operation, plan, values);
          expect(await runner.run(operation, parts, values)).toEqual(whole);
          expect(whole.flatMap((result) => [...result]).some(Number.isNaN)).toBe(false);
        });
      }
    }
  });
}
