/** Real-valued tensors: every solver within the bound derived for float32 sums in any order. */
import { type ConvProblem, errorBound, makeProblem, winogradErrorBound } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import type { ConvOperation } from "../../src/problem/operation.js";
import { solversFor } from "../../src/solvers/select.js";
import { isRefusal, workspaceBytes } from "../../src/planning/solver.js";
import { candidatesOf } from "../support/candidates.js";
import { type ConvCase, namedCase } from "../support/cases.js";
import { reals, smallIntegers } from "../support/data.js";
import { type GpuFixtures, gpuTest } from "../support/gpuTest.js";
import { boundMismatch, exactMismatch } from "../support/mismatch.js";
import {
  disposeOperands,
  expectedResults,
  isFusedBias,
  makeValues,
  maskedGradient,
  operationName,
  operationsOf,
  passOf,
  type RoleValues,
  runOnEngine,
  takeAll,
  uploadOperands,
} from "../support/operations.js";
import { isOwn, waysInTurn } from "../support/turns.js";

const SEED = 7;

/** The bound for each result. Relu keeps it: |relu(a) - relu(b)| <= |a - b|. */
function boundsOf(operation: ConvOperation, values: RoleValues): Float64Array[] {
  const { problem, bias } = operation;
  const direction = passOf(operation);
  const forward = direction === "forward";
  const dy = forward ? undefined : maskedGradient(operation, values);
  const extras = forward && bias ? { bias: values.bias, residual: values.residual } : {};
  const operands = { x: values.x, w: values.w, dy, ...extras };
  const bound = errorBound(problem, direction, operands);
  return direction === "weightGradient" && bias ? [bound, errorBound(problem, "biasGradient", operands)] : [bound];
}

/** The bound of a layer by Winograd's tiles. */
function winogradBoundOf(operation: ConvOperation, values: RoleValues, tile: number): Float64Array {
  const { problem, direction, bias } = operation;
  const operands = { x: values.x, w: values.w, ...(bias && { bias: values.bias, residual: values.residual }) };
  if (direction === "forward") return winogradErrorBound(problem, "forward", operands, tile === 2 ? 2 : 4);
  const dy = maskedGradient(operation, values);
  const pass = direction === "weightGradient" ? direction : "inputGradient";
  return winogradErrorBound(problem, pass, { x: values.x, w: values.w, dy }, tile === 2 ? 2 : 4);
}

/** One operation a direction, with all that can be fused and named. */
function operationsWithin(problem: ConvProblem): ConvOperation[] {
  const fullest = new Map(operationsOf(problem).map((operation) => [operation.direction, operation]));
  const weight = operationsOf(problem).filter(({ direction, bias }) => direction === "weightGradient" && !bias);
  return [...fullest.values()].map((operation) => (isFusedBias(operation) ? weight[weight.length - 1] : operation));
}

async function expectWithinBound(
  conv: Omit<ConvCase, "name" | "variant">,
  { engine, capabilities }: GpuFixtures,
  wanted: (solver: string) => boolean = () => true,
): Promise<void> {
  const problem = makeProblem(2, conv.input, conv.weight, conv.options);
  const operations = operationsWithin(problem).filter((operation) =>
    solversFor(operation).some(({ name }) => wanted(name)),
  );
  const values = makeValues(problem, SEED, reals);
  const tensors = uploadOperands(engine, operations, values);
  const found = await Promise.all(
    operations.flatMap((operation, i) => {
      const [expected] = expectedResults(operation, values);
      const [plainBound] = boundsOf(operation, values);
      // Each solver by its default, and Winograd's tiles all.
      const candidates = candidatesOf(operation, capabilities).filter(({ solver, config }, _, all) => {
        if (!wanted(solver.name)) return false;
        return "tile" in config || all.find((other) => other.solver === solver)?.config === config;
      });
      expect(candidates.length, operationName(operation)).toBeGreaterThan(0);
      return waysInTurn(candidates, i, capabilities).map(async ({ solver: { name }, config }) => {
        const bound = "tile" in config ? winogradBoundOf(operation, values, config.tile) : plainBound;
        const [actual] = await takeAll(runOnEngine(engine, operation, conv.options, tensors, { name, config }));
        const mismatch = boundMismatch(actual, expected, bound);
        return mismatch === undefined
          ? []
          : [`${operationName(operation)}, ${name} ${JSON.stringify(config)}: ${mismatch}`];
      });
    }),
  );
  disposeOperands(tensors);
  expect(found.flat()).toEqual([]);
}

/** Solvers that take part on every platform: Winograd's errors are of another kind, register tiles take everything. */
const ALWAYS = ["winograd", "register-tile"];

describe("every solver is within the derived bound on reals", () => {
  const names = ["first layer, tail", "1x1, large", "3x3, large", "grouped, odd", "depthwise, plain", "dilated, odd"];
  for (const [index, name] of names.entries()) {
    gpuTest(name, async ({ engine, runner, capabilities }) => {
      // Platforms with software devices, which compile for most of the time, take turns with the other solvers, or with the test.
      const isInTurn = __CONV_TURNS__ !== "" || isOwn(index, capabilities);
      const wanted = (solver: string): boolean => isInTurn || ALWAYS.includes(solver);
      await expectWithinBound(namedCase(name), { engine, runner, capabilities }, wanted);
    });
  }

  const WINOGRAD = {
    "5x5": { input: [2, 9, 13, 14], weight: [7, 9, 5, 5], options: { padding: 2 } },
    "5x5, grouped, uneven padding": {
      input: [1, 8, 11, 9],
      weight: [6, 4, 5, 5],
      options: {
        groups: 2,
        padding: [
          [4, 1],
          [0, 3],
        ],
      },
    },
    "5x5, dilated and reflected": {
      input: [1, 5, 12, 13],
      weight: [6, 5, 5, 5],
      options: { dilation: 2, padding: 3, paddingMode: "reflect" },
    },
    "3x3, dilated by more than there are results": {
      input: [2, 5, 21, 30],
      weight: [6, 5, 3, 3],
      options: { dilation: [8, 13], padding: [0, 2] },
    },
  } as const;
  for (const [name, conv] of Object.entries(WINOGRAD)) {
    gpuTest(`${name}, in Winograd's tiles`, async ({ engine, runner, capabilities }) => {
      await expectWithinBound(conv, { engine, runner, capabilities }, (solver) => solver === "winograd");
    });
  }

  gpuTest("sums of 4,608 terms a result (3x3, 512 channels)", async ({ engine, runner, capabilities }) => {
    const conv = { input: [1, 512, 7, 7], weight: [24, 512, 3, 3], options: { padding: 1 } };
    await expectWithinBound(conv, { engine, runner, capabilities });
  });

  gpuTest(
    "sums of 100,352 terms a weight (1x1 over 8 images of 112 x 112)",
    async ({ engine, runner, capabilities }) => {
      const conv = { input: [8, 4, 112, 112], weight: [6, 4, 1, 1], options: {} };
      await expectWithinBound(conv, { engine, runner, capabilities });
    },
  );
});

describe("weight gradients split as for a GPU of 512 workgroups", () => {
  const conv = { input: [3, 3, 64, 66], weight: [5, 3, 3, 3], options: { padding: 1 } };
  const problem = makeProblem(2, conv.input, conv.weight, conv.options);
  const [operation] = operationsOf(problem).filter(isFusedBias);

  for (const solver of solversFor(operation)) {
    gpuTest(`${solver.name}: exact on small integers, within the bound on reals`, async ({ runner }) => {
      const [config] = solver.configs(operation, DEFAULT_CAPABILITIES).slice(-1);
      const plan = solver.plan(operation, DEFAULT_CAPABILITIES, config);
      if (isRefusal(plan)) throw new Error(plan.refused);
      const partialBytes = 4 * problem.outChannels * (problem.inChannels * problem.taps + 1);
      expect(workspaceBytes(plan) / partialBytes, "splits").toBeGreaterThan(16);

      const integers = makeValues(problem, SEED, smallIntegers);
      const exact = await runner.run(operation, plan, integers);
      expectedResults(operation, integers).forEach((expected, i) => {
        expect(exactMismatch(exact[i], expected)).toBeUndefined();
      });

      const values = makeValues(problem, SEED, reals);
      const bounds = boundsOf(operation, values);
      const actual = await runner.run(operation, plan, values);
      expectedResults(operation, values).forEach((expected, i) => {
        expect(boundMismatch(actual[i], expected, bounds[i])).toBeUndefined();
      });
    });
  }
});
