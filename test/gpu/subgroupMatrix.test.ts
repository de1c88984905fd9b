/**
 * Subgroup matrices. No device of the tests has them, so plans made for one that does are run with lanes that multiply by
 * themselves (without the condition SUBGROUP_MATRICES): loads, tiles, the order of lanes and the end of a pass are the same.
 */
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { type Capabilities } from "../../src/planning/capabilities.js";
import { isRefusal, type SolverPlan } from "../../src/planning/solver.js";
import { solversFor } from "../../src/solvers/select.js";
import { smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import { expectedResults, makeValues, operationsOf } from "../support/operations.js";

const LAYERS = [
  ["one tile", [1, 32, 8, 8], [64, 32, 1, 1], {}],
  ["ends of tiles, several blocks of K", [2, 300, 7, 11], [70, 300, 1, 1], {}],
  ["groups", [3, 48, 5, 5], [36, 16, 1, 1], { groups: 3 }],
  ["channels-last", [2, 9, 7, 40], [24, 40, 1, 1], { layout: "channels-last" }],
] as const;

/** The plan with float32 elements, for lanes that multiply by themselves. */
function emulated(plan: SolverPlan): SolverPlan {
  const dispatches = plan.dispatches.map((step) => ({
    ...step,
    constants: { ...step.constants, SUBGROUP_MATRICES: false },
    types: { Element: "f32", Source: "f32", Result: "f32", Residual: "f32", Sum: "f32" },
  }));
  return { ...plan, dispatches };
}

/** Few results a thread: software devices take long to compile what uses workgroup memory. */
const TILES = [
  [
    { m: 8, n: 8, k: 8, lanes: 32 },
    { subgroupsM: 1, subgroupsN: 2, matricesM: 2, matricesN: 1, tileK: 16 },
  ],
  [
    { m: 8, n: 16, k: 4, lanes: 64 },
    { subgroupsM: 2, subgroupsN: 1, matricesM: 1, matricesN: 2, tileK: 8 },
  ],
] as const;

describe.each(TILES)("matrices of %o", (subgroupMatrix, config) => {
  for (const [name, input, weight, options] of LAYERS) {
    gpuTest(name, async ({ runner, capabilities }) => {
      const device: Capabilities = { ...capabilities, shaderF16: true, subgroupMatrix };
      const operations = operationsOf(makeProblem(2, input, weight, options)).filter(
        ({ direction, activation, masked }) =>
          direction === "inputGradient" ? masked : direction === "forward" && activation.name === "relu",
      );
      expect(operations).toHaveLength(2);
      for (const operation of operations) {
        const half = { ...operation, dtype: "float16" } as const;
        const solver = solversFor(half).find((one) => one.name === "subgroup-matrix");
        const plan = solver?.plan(half, device, config);
        if (!plan || isRefusal(plan)) throw new Error(plan?.refused ?? "there is no such solver");
        const values = makeValues(operation.problem, 11, smallIntegers);
        const [result] = await runner.run(operation, emulated(plan), values);
        const [expected] = expectedResults(operation, values);
        expect(exactMismatch(result, expected), operation.direction).toBeUndefined();
      }
    });
  }
});
