/** What looks for weight gradients to repair is a small part of the gradient itself. */
import { expect, test } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { isRefusal } from "../../src/planning/solver.js";
import { product } from "../../src/problem/geometry.js";
import { planFor } from "../../src/solvers/passes/conversions.js";
import { solversFor } from "../../src/solvers/select.js";

const THREADS = 64;
/** Sums that a thread looks at, at least, where there are millions. */
const LEAST = 16;

test("a thread looks at many sums", () => {
  const problem = makeProblem(2, [1, 512, 7, 7], [512, 512, 3, 3], { padding: 1 });
  const operation = plainOperation("weightGradient", problem, { dtype: "float32" });
  const elements = 512 * 512 * 9;
  const capabilities = { ...DEFAULT_CAPABILITIES, deviceClass: "software" } as const;
  const looking = solversFor(operation).flatMap((solver) => {
    const plan = planFor(solver, operation, capabilities, solver.configs(operation, capabilities)[0]);
    if (isRefusal(plan)) return [];
    return plan.dispatches.flatMap(({ kernel, workgroups }) =>
      kernel.name === "repair_weights" ? [{ solver: plan.solver, threads: product(workgroups) * THREADS }] : [],
    );
  });
  expect(looking.length).toBeGreaterThan(2);
  expect(looking.filter(({ threads }) => threads > elements / LEAST)).toEqual([]);
});
