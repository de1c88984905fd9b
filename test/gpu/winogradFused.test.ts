/** Winograd's tiles in one kernel: exact on small integers, within the bound on reals; edges, groups, blocks, infinities. */
import type { ConvOptions } from "webgpu-conv";
import { makeProblem, winogradErrorBound } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import type { Capabilities } from "../../src/planning/capabilities.js";
import type { SolverPlan } from "../../src/planning/solver.js";
import type { ConvOperation } from "../../src/problem/operation.js";
import { select } from "../../src/solvers/select.js";
import { reals, smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { boundMismatch, exactMismatch } from "../support/mismatch.js";
import { expectedResults, makeValues, maskedGradient, operationName, operationsOf } from "../support/operations.js";

interface Layer {
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions;
  /** 4 when absent. */
  readonly fusedChannels?: number;
}

/** Tiles that are cut off, of several samples and phases; ends of channels; kernels are few, since each takes seconds to compile. */
const LAYERS: Readonly<Record<string, Layer>> = {
  "odd sizes, three samples": { input: [3, 6, 13, 15], weight: [41, 6, 3, 3], options: { padding: 1 } },
  "grouped, uneven padding, channels-last": {
    input: [2, 11, 9, 10],
    weight: [14, 5, 3, 3],
    options: {
      groups: 2,
      layout: "channels-last",
      padding: [
        [2, 1],
        [0, 1],
      ],
    },
  },
  "a plane smaller than a tile, few channels": { input: [2, 3, 1, 1], weight: [1, 3, 3, 3], options: { padding: 1 } },
  "dilated and reflected": {
    input: [1, 5, 12, 13],
    weight: [6, 5, 3, 3],
    options: { dilation: [2, 3], padding: 3, paddingMode: "reflect" },
  },
  "rows in vectors, an odd number of them, eight channels at a time": {
    input: [2, 9, 7, 16],
    weight: [9, 9, 3, 3],
    options: { padding: 1 },
    fusedChannels: 8,
  },
  "three blocks of channels": { input: [1, 515, 5, 4], weight: [7, 515, 3, 3], options: { padding: 1 } },
};
const SEED = 11;
const CONFIG = { tile: 2, fusedChannels: 4 };

const planOf = (operation: ConvOperation, capabilities: Capabilities, config = CONFIG): SolverPlan =>
  select(operation, capabilities, { name: "winograd", config }).plan;

/** A forward pass and an input gradient with what can be fused into them. */
const fullest = ({ input, weight, options }: Layer): ConvOperation[] =>
  operationsOf(makeProblem(2, input, weight, options)).filter(
    ({ direction, bias, masked }) => (direction === "forward" && bias) || (direction === "inputGradient" && masked),
  );

describe.each(Object.entries(LAYERS))("%s", (_, layer) => {
  gpuTest("is exact on small integers, with less scratch memory", async ({ runner, capabilities }) => {
    const { fusedChannels = CONFIG.fusedChannels } = layer;
    for (const operation of fullest(layer)) {
      const values = makeValues(operation.problem, SEED, smallIntegers);
      const plan = planOf(operation, capabilities, { tile: 2, fusedChannels });
      const kernels = plan.dispatches.map(({ kernel }) => kernel.name);
      expect(kernels.slice(0, 2)).toEqual(["winograd_filter", "winograd_fused"]);
      expect(Object.keys(plan.scratchBytes)).toEqual(["winograd filters"]);
      const [actual] = await runner.run(operation, plan, values);
      const mismatch = exactMismatch(actual, expectedResults(operation, values)[0]);
      expect(mismatch, operationName(operation)).toBeUndefined();
    }
  });
});

const ODD = LAYERS["odd sizes, three samples"];

gpuTest("is within the bound of Winograd's tiles on reals", async ({ runner, capabilities }) => {
  for (const operation of fullest(ODD)) {
    const { problem, direction } = operation;
    const values = makeValues(problem, SEED, reals);
    const { x, w, bias, residual } = values;
    const bound =
      direction === "forward"
        ? winogradErrorBound(problem, "forward", { x, w, bias, residual }, 2)
        : winogradErrorBound(problem, "inputGradient", { x, w, dy: maskedGradient(operation, values) }, 2);
    const [actual] = await runner.run(operation, planOf(operation, capabilities), values);
    expect(boundMismatch(actual, expectedResults(operation, values)[0], bound)).toBeUndefined();
  }
});

gpuTest("keeps an infinite source within its tile, and every NaN", async ({ runner, capabilities }) => {
  const [operation] = fullest(ODD);
  const { problem } = operation;
  const values = makeValues(problem, SEED, smallIntegers);
  const [plane, width] = [13 * 15, 15];
  // The second channel of the second sample, where tiles overlap; the last element of the last sample.
  values.x[(6 + 1) * plane + 4 * width + 6] = Infinity;
  values.x[values.x.length - 1] = NaN;
  const [actual] = await runner.run(operation, planOf(operation, capabilities), values);
  const [expected] = expectedResults(operation, values);
  let spread = 0;
  for (let i = 0; i < expected.length; i++) {
    const [sample, row, column] = [Math.floor(i / (41 * plane)), Math.floor((i % plane) / width), i % width];
    if (Number.isFinite(expected[i])) {
      // Tiles begin at even rows and columns; those that read row 4 and column 6 end there, or begin one further.
      const isNear =
        sample === 1
          ? [2, 3, 4, 5].includes(row) && [4, 5, 6, 7].includes(column)
          : sample === 2 && row >= 10 && column >= 12;
      if (isNear && !Number.isFinite(actual[i])) spread++;
      else expect(actual[i], `element ${String(i)}`).toBe(expected[i]);
    } else {
      expect(Number.isFinite(actual[i]), `element ${String(i)}`).toBe(false);
    }
  }
  expect(spread).toBeGreaterThan(0);
});
