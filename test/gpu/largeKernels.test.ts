/** Large filters in strips: what a thread cannot hold is dealt out, or taken in parts, and nothing of it is lost at the ends. */
import { type ConvOptions, SolverError } from "webgpu-conv";
import { makeProblem, type Rank } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { strip } from "../../src/solvers/strip/strip.js";
import { stripWeightGradient } from "../../src/solvers/strip/stripWeightGradient.js";
import { isRefusal, listed } from "../../src/planning/solver.js";
import { smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import { expectedResults, makeValues, operationName, operationsOf } from "../support/operations.js";

interface Layer {
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions;
  /** Rows of the filter to a thread; undefined for the solver's own choice. */
  readonly filterRows: readonly (number | undefined)[];
}

const LAYERS: Readonly<Record<string, Layer>> = {
  "13x13, depthwise": {
    input: [1, 3, 14, 15],
    weight: [3, 1, 13, 13],
    options: { groups: 3, padding: 6 },
    filterRows: [undefined],
  },
  "31x31, depthwise": {
    input: [1, 2, 20, 18],
    weight: [2, 1, 31, 31],
    options: { groups: 2, padding: 15 },
    filterRows: [undefined],
  },
  "5x5, strided and dilated, in uneven blocks": {
    input: [2, 4, 19, 17],
    weight: [6, 2, 5, 5],
    options: { groups: 2, stride: [2, 1], dilation: [1, 2], padding: [3, 1] },
    filterRows: [undefined, 1, 2, 3],
  },
  "9x3 to one channel": {
    input: [1, 7, 12, 11],
    weight: [1, 7, 9, 3],
    options: { padding: 2 },
    filterRows: [undefined, 4],
  },
};

describe("weight gradients in strips are exact on small integers", () => {
  for (const [name, { input, weight, options, filterRows }] of Object.entries(LAYERS)) {
    gpuTest(name, async ({ runner, capabilities }) => {
      const rank = (input.length - 2) as Rank;
      const operations = operationsOf(makeProblem(rank, input, weight, options)).filter(
        ({ direction }) => direction === "weightGradient",
      );
      expect(operations).toHaveLength(3);
      const values = makeValues(operations[0].problem, 9, smallIntegers);
      const found: string[] = [];
      for (const operation of operations) {
        const solver = listed(stripWeightGradient);
        const [first] = solver.configs(operation, capabilities);
        for (const rows of filterRows) {
          const config = rows === undefined ? first : { columns: 4, filterRows: rows };
          const plan = solver.plan(operation, capabilities, config);
          if (isRefusal(plan)) throw new Error(plan.refused);
          const results = await runner.run(operation, plan, values);
          const mismatches = expectedResults(operation, values).map((expected, i) =>
            exactMismatch(results[i], expected),
          );
          found.push(
            ...mismatches.filter((mismatch) => mismatch !== undefined).map((m) => `${operationName(operation)}: ${m}`),
          );
        }
      }
      expect(found).toEqual([]);
    });
  }

  gpuTest("in volumes and along lines", async ({ engine }) => {
    const ramp = (size: number): number[] => Array.from({ length: size }, (_, i) => (i % 5) - 2);
    const general = { solver: "direct" } as const;
    const strips = (filterRows: number) => ({ solver: { name: "strip", config: { columns: 2, filterRows } } });
    using x = engine.tensor(ramp(2 * 5 * 6 * 7), [1, 2, 5, 6, 7]);
    using dy = engine.tensor(ramp(2 * 5 * 6 * 7), [1, 2, 5, 6, 7]);
    const volume = { groups: 2, padding: 1 };
    using expected = engine.conv3dWeightGradient(dy, x, [2, 1, 3, 3, 3], { ...volume, ...general });
    const wanted = [...(await expected.data())];
    expect(new Set(wanted).size).toBeGreaterThan(9);
    for (const rows of [1, 4, 9]) {
      using dw = engine.conv3dWeightGradient(dy, x, [2, 1, 3, 3, 3], { ...volume, ...strips(rows) });
      expect([...(await dw.data())]).toEqual(wanted);
    }
    using line = engine.tensor(ramp(3 * 70), [1, 3, 70]);
    using gradient = engine.tensor(ramp(3 * 70), [1, 3, 70]);
    const along = { groups: 3, padding: 15 };
    using one = engine.conv1dWeightGradient(gradient, line, [3, 1, 31], { ...along, ...general });
    using other = engine.conv1dWeightGradient(gradient, line, [3, 1, 31], { ...along, ...strips(1) });
    expect([...(await other.data())]).toEqual([...(await one.data())]);
    const refused = (): unknown => engine.conv1dWeightGradient(gradient, line, [3, 1, 31], { ...along, ...strips(0) });
    expect(refused).toThrow(new SolverError("solver strip refuses: filterRows is 0; expected a positive integer"));
  });
});

const PARTS = [
  { mPerThread: 1, columns: 4, filterColumns: 4 },
  { mPerThread: 2, columns: 2, filterColumns: 3 },
  { mPerThread: 3, columns: 8, filterColumns: 1 },
];

describe("strips of parts of a filter's rows are exact on small integers", () => {
  for (const [name, { input, weight, options }] of Object.entries({
    ...LAYERS,
    "5x7, reflected": {
      input: [2, 2, 9, 11],
      weight: [4, 1, 5, 7],
      options: { groups: 2, padding: 3, paddingMode: "reflect" },
    },
    "3x5, channels last": {
      input: [1, 9, 8, 6],
      weight: [6, 2, 3, 5],
      options: { groups: 3, padding: 2, layout: "channels-last" },
    },
  } satisfies Readonly<Record<string, Omit<Layer, "filterRows">>>)) {
    gpuTest(name, async ({ runner, capabilities }) => {
      const problem = makeProblem((input.length - 2) as Rank, input, weight, options);
      const operations = operationsOf(problem).filter(
        ({ direction, masked, activation }) =>
          (direction === "forward" && activation.name === "relu") || (direction === "inputGradient" && masked),
      );
      expect(operations.length).toBeGreaterThan(1);
      const values = makeValues(problem, 9, smallIntegers);
      for (const operation of operations) {
        for (const config of PARTS) {
          const plan = listed(strip).plan(operation, capabilities, config);
          if (isRefusal(plan)) {
            expect(plan.refused).toMatch(/take input gradients at stride 1/);
            continue;
          }
          const results = await runner.run(operation, plan, values);
          expectedResults(operation, values).forEach((expected, i) => {
            expect(
              exactMismatch(results[i], expected),
              `${operationName(operation)} ${JSON.stringify(config)}`,
            ).toBeUndefined();
          });
        }
      }
    });
  }
});
