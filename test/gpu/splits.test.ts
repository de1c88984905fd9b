/** Forward passes and input gradients whose sums are split, for results too few to fill a device. */
import { type ConvOptions, type Engine, SolverError, type Tensor } from "webgpu-conv";
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { select } from "../../src/solvers/select.js";
import { smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import {
  disposeOperands,
  expectedResults,
  makeValues,
  operationName,
  operationsOf,
  runOnEngine,
  takeAll,
  uploadOperands,
} from "../support/operations.js";
import type { ConvOperation } from "../../src/problem/operation.js";

const SEED = 3;
/** The smallest tiles: a software device compiles for seconds. */
const TILES = {
  "implicit-gemm": { threadsN: 8, threadsM: 8, mPerThread: 4, vectorsPerThread: 1, tileK: 8 },
  "register-tile": { threads: 64, mPerThread: 2, nPerThread: 4 },
} as const;
const SOLVERS = Object.keys(TILES) as (keyof typeof TILES)[];

interface Layer {
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions;
}

/** Numbers of channels that no number of splits divides. */
const LAYERS: Readonly<Record<string, Layer>> = {
  "a 3x3 layer": { input: [2, 23, 7, 7], weight: [9, 23, 3, 3], options: { padding: 1 } },
  "one with stride, dilation and groups": {
    input: [1, 22, 9, 8],
    weight: [6, 11, 3, 2],
    options: { stride: [2, 3], dilation: [1, 2], groups: 2, padding: 2 },
  },
  "one that reflects": { input: [1, 7, 5, 6], weight: [3, 7, 3, 3], options: { padding: 2, paddingMode: "reflect" } },
  "a fully connected one": { input: [3, 301, 1, 1], weight: [5, 301, 1, 1], options: {} },
};

const gathers = (operation: ConvOperation): boolean =>
  operation.direction === "forward" || operation.direction === "inputGradient";

describe.each(SOLVERS)("%s, its sums split", (name) => {
  for (const [what, { input, weight, options }] of Object.entries(LAYERS)) {
    gpuTest(`is exact on small integers: ${what}`, async ({ engine }) => {
      const operations = operationsOf(makeProblem(2, input, weight, options)).filter(gathers);
      expect(operations).toHaveLength(4);
      const values = makeValues(operations[0].problem, SEED, smallIntegers);
      const tensors = uploadOperands(engine, operations, values);
      const found = operations.flatMap((operation) => {
        // More than there are channels, or tiles along the depth, is as many as there are.
        return [2, 3, 5, 1000].map(async (splitK) => {
          const choice = { name, config: { ...TILES[name], splitK } };
          const [result] = await takeAll(runOnEngine(engine, operation, options, tensors, choice));
          const mismatch = exactMismatch(result, expectedResults(operation, values)[0]);
          return mismatch === undefined ? [] : [`${operationName(operation)}, splitK ${String(splitK)}: ${mismatch}`];
        });
      });
      const mismatches = (await Promise.all(found)).flat();
      disposeOperands(tensors);
      expect(mismatches).toEqual([]);
    });
  }

  gpuTest("keeps layouts, float16 and volumes", async ({ engine }) => {
    const run = async (make: (engine: Engine, splitK: number) => Tensor): Promise<number[][]> => {
      const [one, two, four] = [1, 2, 4].map((splitK) => make(engine, splitK));
      const values = [[...(await one.data())], [...(await two.data())], [...(await four.data())]];
      [one, two, four].forEach((tensor) => tensor.dispose());
      return values;
    };
    const chosen = (splitK: number) => ({ name, config: { ...TILES[name], splitK } });
    const ramp = (size: number): number[] => Array.from({ length: size }, (_, i) => (i % 7) - 3);

    using last = engine.tensor(ramp(2 * 25 * 18), [2, 5, 5, 18]);
    using filters = engine.tensor(ramp(9 * 18 * 5), [3, 3, 18, 5]);
    const layout = { layout: "channels-last", weightLayout: "HWIO", padding: 1 } as const;
    using half = engine.tensor(ramp(2 * 25 * 18), [2, 18, 5, 5], { dtype: "float16" });
    using halfFilters = engine.tensor(ramp(5 * 18 * 9), [5, 18, 3, 3], { dtype: "float16" });
    using bias = engine.tensor(ramp(5), [5], { dtype: "float16" });
    using volume = engine.tensor(ramp(11 * 60), [1, 11, 3, 4, 5]);
    using cubes = engine.tensor(ramp(11 * 3 * 8), [11, 3, 2, 2, 2]);
    for (const make of [
      (_: Engine, splitK: number) => engine.conv2d(last, filters, { ...layout, solver: chosen(splitK) }),
      (_: Engine, splitK: number) =>
        engine.conv2d(half, halfFilters, { padding: 1, bias, activation: "relu", solver: chosen(splitK) }),
      (_: Engine, splitK: number) => engine.convTranspose3d(volume, cubes, { stride: 2, solver: chosen(splitK) }),
    ]) {
      const [one, two, four] = await run(make);
      expect(new Set(one).size).toBeGreaterThan(5);
      expect(two).toEqual(one);
      expect(four).toEqual(one);
    }
  });

  gpuTest("refuses what is no number of splits, and more memory than it may take", ({ engine }) => {
    using x = engine.tensor(new Float32Array(64), [1, 4, 4, 4]);
    using w = engine.tensor(new Float32Array(16), [4, 4, 1, 1]);
    const run = (splitK: number): Tensor =>
      engine.conv2d(x, w, { solver: { name, config: { ...TILES[name], splitK } } });
    for (const splitK of [0, -1, 1.5, NaN]) {
      expect(() => run(splitK)).toThrow(
        new SolverError(`solver ${name} refuses: splitK is ${String(splitK)}; expected an integer of at least 1`),
      );
    }
    expect(() => run(2 ** 24)).toThrow(
      `solver ${name} refuses: 16777216 partial results take 4294967296 bytes; expected at most `,
    );
  });
});

describe("the model splits", () => {
  const operationOf = (input: readonly number[], weight: readonly number[], padding: number): ConvOperation =>
    operationsOf(makeProblem(2, input, weight, { padding }))[0];
  const partialsOf = (operation: ConvOperation): number =>
    (select(operation, { ...DEFAULT_CAPABILITIES, deviceClass: "nvidia" }).plan.scratchBytes.partials ?? 0) / 4;

  gpuTest("where results are too few for a GPU, and nowhere else", () => {
    // 512 channels at 7x7: 8 tiles of 64x52, of a sum of 4,608 terms.
    expect(partialsOf(operationOf([1, 512, 7, 7], [512, 512, 3, 3], 1))).toBeGreaterThanOrEqual(4 * 512 * 49);
    // The last layer of a classifier, and of a discriminator with one filter.
    expect(partialsOf(operationOf([1, 2048, 1, 1], [1000, 2048, 1, 1], 0))).toBeGreaterThanOrEqual(4 * 1000);
    expect(partialsOf(operationOf([1, 512, 31, 31], [1, 512, 4, 4], 1))).toBeGreaterThanOrEqual(4 * 30 * 30);
    // Enough results; too short a sum.
    expect(partialsOf(operationOf([8, 256, 56, 56], [256, 256, 1, 1], 0))).toBe(0);
    expect(partialsOf(operationOf([1, 64, 7, 7], [64, 64, 1, 1], 0))).toBe(0);
  });
});
