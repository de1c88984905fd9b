/** Sums of many terms: errors that hardly grow with their number, in every solver, and a bound that notices what is lost. */
import { type ConvOptions, type Engine, SolverError, type Tensor } from "webgpu-conv";
import { compare, longestChain, makeProblem, UNIT_ROUNDOFF } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { plainOperation } from "../../src/calls/calls.js";
import { product } from "../../src/problem/geometry.js";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { solversFor } from "../../src/solvers/select.js";
import { isRefusal, listed, type ListedSolver, type SolverConfig, type SolverPlan } from "../../src/planning/solver.js";
import { registerTileWeightGradient } from "../../src/solvers/registerTile/registerTileWeightGradient.js";
import { Random, smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import { expectedResults, makeValues, operationName, operationsOf } from "../support/operations.js";
import { changedKernel, loadedKernel } from "../support/kernels.js";

/** Sums of equal terms, whose roundings add up as nothing else's do. */
const MOST_ERROR = 1e-5;
const LEFT = Math.fround(0.1);
const RIGHT = Math.fround(0.3);

const SMALL_TILE = { threadsN: 8, threadsM: 8, mPerThread: 4, vectorsPerThread: 1, tileK: 8 };
/** The smallest tiles: a software device compiles for seconds. */
const GATHERS = {
  direct: {},
  "register-tile": { threads: 64, mPerThread: 1, nPerThread: 4 },
  "vector-tile": { threads: 64, mPerThread: 4, vectorsPerThread: 1, broadcastLanes: 1 },
  strip: { mPerThread: 1, columns: 2 },
  "implicit-gemm": SMALL_TILE,
} as const;
const WEIGHT_GRADIENTS = {
  direct: {},
  "register-tile": { threads: 64, mPerThread: 1, nPerThread: 4, broadcastLanes: 1 },
  strip: { columns: 2, filterRows: 1 },
  "rolling-window": { mPerThread: 1, columns: 2 },
  "scalar-tile": { threads: 32, mPerThread: 4, channelsPerThread: 1, unroll: 1 },
  "implicit-gemm": SMALL_TILE,
} as const;

const PASSES = { forward: true, inputGradient: true, weightGradient: true };

const filled = (engine: Engine, shape: readonly number[], value: number): Tensor =>
  engine.tensor(new Float32Array(product(shape)).fill(value), shape);

/** The largest relative error of a result whose elements should all be alike; it is disposed of. */
async function relativeError(result: Tensor, expected: number): Promise<number> {
  const values = await result.data();
  result.dispose();
  return values.reduce((worst, value) => {
    const error = Math.abs(value - expected) / expected;
    return error <= worst ? worst : error;
  }, 0);
}

describe.each(Object.entries(GATHERS))("%s", (name, config) => {
  const solver = { name, config };
  // Channels that no block divides, in more blocks than one split takes; and as many terms of a filter of one channel.
  for (const [what, channels, kernel] of [
    ["many channels", 35_003, [1, 1]],
    ["many taps", 1, [3, 11_668]],
  ] as const) {
    gpuTest(`sums of 35,000 terms a result: ${what}`, async ({ engine }) => {
      using x = filled(engine, [1, channels, ...kernel], LEFT);
      using w = filled(engine, [2, channels, ...kernel], RIGHT);
      using dy = filled(engine, [1, channels, 1, 1], LEFT);
      using back = filled(engine, [channels, 1, 1, 1], RIGHT);
      const run = (): Tensor[] =>
        channels > 1
          ? [engine.conv2d(x, w, { solver }), engine.conv2dInputGradient(dy, back, [1, 1, 1, 1], { solver })]
          : [engine.conv2d(x, w, { solver })];
      if (name === "strip" && channels === 1) {
        expect(run).toThrow(SolverError); // a strip of so many sources
        return;
      }
      const expected = channels * product(kernel) * LEFT * RIGHT;
      for (const result of run()) expect(await relativeError(result, expected)).toBeLessThan(MOST_ERROR);
    });
  }
});

describe.each(Object.entries(WEIGHT_GRADIENTS))("weight gradient by %s", (name, config) => {
  const options: ConvOptions = { solver: { name, config } };
  const LAYERS = {
    "a plane": [2, 1, 601, 500],
    "one line": [1, 1, 2, 300_001],
    "one column": [1, 1, 300_001, 1],
  } as const;

  for (const [what, shape] of Object.entries(LAYERS)) {
    // Barriers take software devices long.
    if (name === "implicit-gemm" && what !== "one line") continue;
    gpuTest(`sums of 300,000 terms and more: ${what}`, async ({ engine }) => {
      const [batch, , height, width] = shape;
      const outputs = [batch, 1, height - 1, width];
      const count = product(outputs);
      const random = new Random(3);
      const [dyValues, xValues] = [outputs, shape].map((of) => smallIntegers(random, product(of)));
      using dy = filled(engine, outputs, LEFT);
      using x = filled(engine, shape, RIGHT);
      const constant = engine.conv2dWeightGradient(dy, x, [1, 1, 2, 1], options);
      expect(await relativeError(constant, count * LEFT * RIGHT)).toBeLessThan(MOST_ERROR);

      // No term is lost, or taken twice: integers are exact.
      await engine.write(dy, dyValues);
      await engine.write(x, xValues);
      using exact = engine.conv2dWeightGradient(dy, x, [1, 1, 2, 1], options);
      const plane = height * width;
      const lineSum = (down: number): number =>
        dyValues.reduce((sum, value, i) => {
          const sample = Math.floor(i / ((height - 1) * width));
          return sum + value * xValues[sample * plane + (i % ((height - 1) * width)) + down * width];
        }, 0);
      expect([...(await exact.data())]).toEqual([lineSum(0), lineSum(1)]);
    });
  }
});

describe("sums of 6,000,000 terms", () => {
  gpuTest("weight and bias gradient, each alone and in one pass", async ({ engine }) => {
    const shape = [3, 1, 1000, 2000];
    using dy = filled(engine, shape, LEFT);
    using x = filled(engine, shape, RIGHT);
    using w = filled(engine, [1, 1, 1, 1], 1);
    const both = engine.conv2dBackward(dy, x, w, {});
    both.input.dispose();
    const weights = [engine.conv2dWeightGradient(dy, x, [1, 1, 1, 1]), both.weight];
    const biases = [engine.conv2dBiasGradient(dy), both.bias];
    for (const result of weights) expect(await relativeError(result, 6e6 * LEFT * RIGHT)).toBeLessThan(MOST_ERROR);
    for (const result of biases) expect(await relativeError(result, 6e6 * LEFT)).toBeLessThan(MOST_ERROR);
  });
});

gpuTest("a weight of a locally connected layer sums over a batch of 40,000", async ({ engine }) => {
  const batch = 40_000;
  using x = filled(engine, [batch, 1, 1, 1], LEFT);
  using dy = filled(engine, [batch, 1, 1, 1], RIGHT);
  const result = engine.locallyConnected2dWeightGradient(dy, x, [1, 1, 1, 1, 1, 1]);
  expect(await relativeError(result, batch * LEFT * RIGHT)).toBeLessThan(MOST_ERROR);
});

gpuTest("what flows back from copies of an edge, 20,000 terms each", async ({ engine }) => {
  const channels = 20_000;
  using dy = filled(engine, [1, channels, 1, 2], LEFT);
  using w = filled(engine, [channels, 1, 1, 1], RIGHT);
  const options: ConvOptions = {
    padding: [
      [0, 0],
      [1, 0],
    ],
    paddingMode: "replicate",
  };
  const result = engine.conv2dInputGradient(dy, w, [1, 1, 1, 1], options);
  expect(await relativeError(result, 2 * channels * LEFT * RIGHT)).toBeLessThan(MOST_ERROR);
});

describe("the bound notices a defect in a sum of a million terms", () => {
  const problem = makeProblem(2, [1, 1, 1000, 1000], [1, 1, 1, 1]);
  const operation = plainOperation("weightGradient", problem, { dtype: "float32" });
  const DEFECTS = {
    none: ["", ""],
    "a partial result left out": ["reduce_partials", "var split = 0u;", "var split = 1u;"],
    "blocks overwritten": [
      "register_tile_weight_gradient",
      "if (first > begin)",
      "if (first > begin + geometry.segmentsPerBlock)",
    ],
  } as const;

  for (const [what, [kernelName, text, wrong = ""]] of Object.entries(DEFECTS)) {
    gpuTest(what, async ({ runner, capabilities }) => {
      // As on a GPU that has room for 40 partial results.
      const limits = { ...capabilities.limits, maxStorageBufferBindingSize: 4 * 40 };
      const config = { threads: 64, mPerThread: 4, nPerThread: 4, broadcastLanes: 1 };
      const plan = listed(registerTileWeightGradient).plan(
        operation,
        { ...capabilities, deviceClass: "unknown", limits },
        config,
      );
      if (isRefusal(plan)) throw new Error(plan.refused);
      const dispatches = plan.dispatches.map((dispatch) => {
        if (dispatch.kernel.name !== kernelName) return dispatch;
        const { code } = loadedKernel(dispatch.kernel);
        expect(code).toContain(text);
        return { ...dispatch, kernel: changedKernel(dispatch.kernel, what, code.replace(text, wrong)) };
      });
      const broken: SolverPlan = { ...plan, dispatches };
      const values = makeValues(problem, 3, (random, count) =>
        Float32Array.from({ length: count }, () => random.next()),
      );
      const [actual] = await runner.run(operation, broken, values);
      const expected = values.x.reduce((sum, value, i) => sum + value * values.y[i], 0);
      const bound = longestChain(1e6) * UNIT_ROUNDOFF * expected;
      expect(compare(actual, [expected], bound).pass).toBe(what === "none");
      // One that counts terms notices neither.
      expect(compare(actual, [expected], 1e6 * UNIT_ROUNDOFF * expected).pass).toBe(true);
    });
  }
});

describe("sums whose blocks are added up in the result, as on a GPU", () => {
  const GPU_TILES: Readonly<Record<string, SolverConfig>> = {
    "register-tile": { threads: 64, mPerThread: 4, nPerThread: 4, broadcastLanes: 1 },
    "vector-tile": { threads: 64, mPerThread: 4, vectorsPerThread: 1, broadcastLanes: 1 },
    strip: { mPerThread: 3, columns: 4, filterRows: 3 },
    "rolling-window": { mPerThread: 1, columns: 4, rows: 4 },
    "scalar-tile": { threads: 32, mPerThread: 8, channelsPerThread: 2, placesPerThread: 1, unroll: 1 },
    "implicit-gemm": SMALL_TILE,
  };
  /** Gather and weight gradient of a name have different knobs: those that are the solver's. */
  const tileOf = ({ name, knobs }: ListedSolver): SolverConfig =>
    Object.fromEntries(Object.entries(GPU_TILES[name]).filter(([knob]) => knob in knobs));
  const LAYERS = {
    "in vectors": { input: [1, 70, 6, 12], weight: [5, 70, 3, 3], options: { padding: 1 } },
    "uneven, with a stride": { input: [2, 67, 9, 7], weight: [67, 67, 3, 3], options: { stride: [2, 1], padding: 1 } },
    "many positions": { input: [2, 2, 31, 37], weight: [4, 1, 3, 3], options: { padding: 1, groups: 2 } },
  } as const;

  for (const [name, { input, weight, options }] of Object.entries(LAYERS)) {
    const problem = makeProblem(2, input, weight, options);
    // With all that is fused; many positions for the weight gradient alone, which sums over them.
    const fullest = new Map(operationsOf(problem).map((operation) => [operation.direction, operation]));
    const operations = [...fullest.values()].filter(
      ({ direction }) => (direction === "weightGradient") === (name === "many positions") && direction in PASSES,
    );
    for (const solver of new Set(operations.flatMap(solversFor))) {
      if (!(solver.name in GPU_TILES)) continue;
      const mine = operations.filter(({ direction }) => solver.directions.includes(direction));
      gpuTest(`${name}, ${solver.name}, ${solver.directions.join(" and ")}`, async ({ runner }) => {
        const values = makeValues(problem, 3, smallIntegers);
        for (const operation of mine) {
          // No room for partial results: one split takes all.
          const limits = { ...DEFAULT_CAPABILITIES.limits, maxStorageBufferBindingSize: 4 };
          const plan = solver.plan(operation, { ...DEFAULT_CAPABILITIES, limits }, tileOf(solver));
          if (isRefusal(plan)) continue;
          const results = await runner.run(operation, plan, values);
          expectedResults(operation, values).forEach((expected, i) => {
            expect(exactMismatch(results[i], expected), operationName(operation)).toBeUndefined();
          });
        }
      });
    }
  }
});
