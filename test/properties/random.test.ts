/**
 * Random problems, random solvers, all directions, bit for bit. Each problem follows from its seed alone:
 * `CONV_SEED=123 npx vitest run test/properties` runs problem 123 and no other; `CONV_COUNT=1000` runs that many.
 */
import { type ConvProblem, makeProblem } from "webgpu-conv/reference";
import { expect } from "vitest";
import type { ConvOperation } from "../../src/problem/operation.js";
import { defaultsOf, isExact } from "../support/candidates.js";
import { smallIntegers, Random } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import {
  disposeOperands,
  expectedResults,
  isFusedBias,
  makeValues,
  operationName,
  operationsOf,
  runOnEngine,
  takeAll,
  uploadOperands,
} from "../support/operations.js";
import { describeProblem, type RandomProblem, randomProblem } from "../support/randomProblem.js";
import { seedsToRun } from "../support/seeds.js";

const DEFAULT_COUNT = 60;
const PROBLEMS_A_TEST = 5;

const seeds = seedsToRun(DEFAULT_COUNT);

/** One form of each direction. The fused bias belongs to `conv2dBackward`, which chooses its own solver. */
function someOperations(problem: ConvProblem, random: Random): ConvOperation[] {
  const all = operationsOf(problem);
  const directions = [...new Set(all.map(({ direction }) => direction))];
  return directions.map((wanted) => random.pick(all.filter(({ direction }) => direction === wanted)));
}

/** One line that says what went wrong and runs it again. */
function failure(seed: number, problem: RandomProblem, what: string): string {
  return `CONV_SEED=${String(seed)} npx vitest run test/properties  # ${describeProblem(problem)}: ${what}`;
}

for (let start = 0; start < seeds.length; start += PROBLEMS_A_TEST) {
  const some = seeds.slice(start, start + PROBLEMS_A_TEST);
  gpuTest(
    `random problems ${String(some[0])} to ${String(some[some.length - 1])}`,
    async ({ engine, capabilities }) => {
      const check = async (seed: number): Promise<string[]> => {
        const random = new Random(seed);
        const drawn = randomProblem(random);
        const problem = makeProblem(2, drawn.input, drawn.weight, drawn.options);
        const operations = someOperations(problem, random);
        const values = makeValues(problem, seed, smallIntegers);
        const tensors = uploadOperands(engine, operations, values);
        const found = operations.map(async (operation) => {
          const picked = random.pick(defaultsOf(operation, capabilities, isExact));
          const choice = isFusedBias(operation) ? undefined : { name: picked.solver.name, config: picked.config };
          const expected = expectedResults(operation, values);
          const results = await takeAll(runOnEngine(engine, operation, drawn.options, tensors, choice));
          return expected.flatMap((wanted, i) => {
            const mismatch = exactMismatch(results[i], wanted);
            const how = `${operationName(operation)} by ${choice?.name ?? "the engine's choice"}`;
            return mismatch === undefined ? [] : [failure(seed, drawn, `${how}: ${mismatch}`)];
          });
        });
        disposeOperands(tensors);
        return (await Promise.all(found)).flat();
      };
      const checked = some.map(async (seed) => {
        // A call that throws is a failure of its problem too.
        return await check(seed).catch((error: unknown) => [
          failure(seed, randomProblem(new Random(seed)), String(error)),
        ]);
      });
      expect((await Promise.all(checked)).flat().join("\n")).toBe("");
    },
  );
}
