/** What is planned by default for GPUs that are not here, run on the device that is: exact on small integers. */
import { makeProblem } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import type { DeviceClass } from "../../src/planning/devices.js";
import { select, solversFor } from "../../src/solvers/select.js";
import type { Capabilities } from "../../src/planning/capabilities.js";
import type { ConvOperation } from "../../src/problem/operation.js";
import type { ConvProblem } from "../../src/problem/problem.js";
import { type Fill, smallIntegers } from "../support/data.js";
import { type GpuFixtures, gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import { expectedResults, makeValues, operationsOf } from "../support/operations.js";
import { isInTurn } from "../support/turns.js";

/** One of many registers and much workgroup memory, one of few registers, two of little of all. */
const CLASSES: readonly DeviceClass[] = ["nvidia", "intel-xe-lp", "adreno", "mali"];

/** Ends of tiles in M, N and K; sums of several blocks, and split ones; phases, some of which have no taps. */
const LAYERS = [
  ["1x1, in vectors", [2, 72, 8, 8], [40, 72, 1, 1], {}],
  ["1x1, in vectors, long sums", [2, 300, 6, 6], [20, 300, 1, 1], {}],
  ["1x1, in vectors, groups, split sums", [1, 1024, 4, 4], [32, 512, 1, 1], { groups: 2 }],
  ["1x1, planes of 7x7", [2, 266, 7, 7], [24, 266, 1, 1], {}],
  ["1x1, stride 2", [2, 24, 9, 8], [40, 24, 1, 1], { stride: 2 }],
  ["3x3, stride 2, ragged", [2, 10, 13, 11], [20, 10, 3, 3], { padding: 1, stride: 2 }],
  ["3x3, long sums", [1, 136, 5, 5], [24, 136, 3, 3], { padding: 1, stride: 2 }],
  ["2x3, groups, strides of 2 and 1", [2, 32, 9, 11], [24, 16, 2, 3], { stride: [2, 1], groups: 2 }],
  ["3x3, dilated, stride 3", [1, 12, 14, 13], [9, 12, 3, 3], { padding: 2, stride: 3, dilation: 2 }],
  [
    "3x3, reflected, channels-last",
    [1, 9, 10, 16],
    [16, 16, 3, 3],
    { padding: 1, paddingMode: "reflect", layout: "channels-last" },
  ],
  ["7x7, stride 2, three channels", [1, 3, 13, 11], [8, 3, 7, 7], { padding: 3, stride: 2 }],
  ["depthwise 7x7", [1, 6, 12, 15], [6, 1, 7, 7], { padding: 3, groups: 6 }],
  ["9x9, three output channels", [1, 5, 12, 14], [3, 5, 9, 9], { padding: 4 }],
  ["groups of 4", [1, 16, 9, 13], [16, 4, 3, 3], { padding: 1, groups: 4 }],
  [
    "depthwise 3x3, stride 2, channels-last",
    [2, 11, 9, 5],
    [5, 1, 3, 3],
    { padding: 1, stride: 2, groups: 5, layout: "channels-last" },
  ],
  ["depthwise 7x7, channels-last", [1, 12, 15, 6], [6, 1, 7, 7], { padding: 3, groups: 6, layout: "channels-last" }],
  ["groups of 4, channels-last", [2, 9, 13, 12], [12, 4, 3, 3], { padding: 1, groups: 3, layout: "channels-last" }],
  [
    "groups of 4, dilated, channels-last",
    [1, 14, 13, 8],
    [8, 4, 3, 3],
    { padding: 4, dilation: 4, groups: 2, layout: "channels-last" },
  ],
  [
    "3x3, odd channels, channels-last",
    [2, 9, 7, 10],
    [13, 10, 3, 3],
    { padding: 1, stride: 2, layout: "channels-last" },
  ],
  ["2x3, groups, channels-last", [1, 9, 8, 32], [24, 16, 2, 3], { stride: [2, 1], groups: 2, layout: "channels-last" }],
  [
    "3x3, long sums, channels-last",
    [1, 5, 5, 136],
    [24, 136, 3, 3],
    { dilation: 2, padding: 2, layout: "channels-last" },
  ],
  ["1x1, channels-last, ragged", [2, 9, 7, 20], [24, 20, 1, 1], { layout: "channels-last" }],
  ["planes of 7x7", [1, 40, 7, 7], [64, 40, 3, 3], { padding: 1, stride: 2 }],
] as const;

/** The operations that this run takes of case `index`: each pass of each case is run on one platform. */
const inTurn = (operations: readonly ConvOperation[], index: number, capabilities: Capabilities): ConvOperation[] =>
  operations.filter((_, pass) => isInTurn(index + pass, capabilities));

/** Passes with all that is fused into them; without a bias, an input gradient has a mask alone. */
const fusedOperations = (problem: ConvProblem): ConvOperation[] =>
  operationsOf(problem).filter(
    ({ activation, masked, direction }) =>
      direction !== "biasGradient" &&
      (direction === "inputGradient" ? masked : activation.name === "relu" || direction === "weightGradient"),
  );

/** Runs what is planned by default, and compares the bits. */
async function expectExact(
  operation: ConvOperation,
  planned: Capabilities,
  { runner }: Pick<GpuFixtures, "runner">,
  fill: Fill,
): Promise<void> {
  const { plan } = select(operation, planned);
  const solver = solversFor(operation).find((one) => one.name === plan.solver);
  if (solver?.isExact(plan.config, operation) === false) return;
  const values = makeValues(operation.problem, 7, fill);
  const results = await runner.run(operation, plan, values);
  expectedResults(operation, values).forEach((expected, i) => {
    const what = `${operation.direction} by ${plan.solver} ${JSON.stringify(plan.config)}`;
    expect(exactMismatch(results[i], expected), what).toBeUndefined();
  });
}

describe.each(CLASSES)("plans for %s", (deviceClass) => {
  // Of two classes one has the other half of the cases.
  const first = 2 * CLASSES.indexOf(deviceClass);
  for (const [index, [name, input, weight, options]] of LAYERS.entries()) {
    gpuTest(name, async ({ runner, capabilities }) => {
      const operations = fusedOperations(makeProblem(2, input, weight, options));
      expect(operations.length).toBeGreaterThanOrEqual(3);
      for (const operation of inTurn(operations, first + index, capabilities)) {
        await expectExact(operation, { ...capabilities, deviceClass }, { runner }, smallIntegers);
      }
    });
  }
});

/** One whose multiply-adds take float16 as it is, and others. */
const HALF_CLASSES: readonly DeviceClass[] = ["amd-rdna", "nvidia", "intel-xe-lp"];
const HALF_LAYERS = [
  ...LAYERS.filter(([name]) => ["3x3, stride 2, ragged", "3x3, reflected, channels-last"].includes(name)),
  ["2x3, groups of odd channels", [1, 22, 9, 7], [18, 11, 2, 3], { stride: [2, 1], groups: 2 }],
  ["3x3, long sums of odd rows", [1, 137, 5, 7], [9, 137, 3, 3], { padding: 1 }],
  ["1x1, results in vectors", [2, 24, 4, 6], [40, 24, 1, 1], {}],
  ["1x1, few results", [1, 1501, 3, 3], [13, 1501, 1, 1], {}],
  ["3x3, channels-last, odd", [2, 5, 7, 13], [11, 13, 3, 3], { padding: 1, layout: "channels-last" }],
  ["1x1, channels-last, in vectors", [2, 5, 7, 20], [24, 20, 1, 1], { layout: "channels-last" }],
] as const;

/** Their sums are so small that float16 has them. */
const units: Fill = (random, count) => Float32Array.from({ length: count }, () => random.integer(-1, 1));

describe.each(HALF_CLASSES)("float16 plans for %s", (deviceClass) => {
  // Half of them for others: most differ by the tile alone.
  const layers = HALF_LAYERS.filter((_, i) => deviceClass === "amd-rdna" || i % 2 === 0);
  for (const [index, [name, input, weight, options]] of layers.entries()) {
    gpuTest(name, async ({ runner, capabilities }) => {
      const withAndWithout = capabilities.shaderF16 ? [true, false] : [false];
      const operations = fusedOperations(makeProblem(2, input, weight, options));
      for (const operation of inTurn(operations, index, capabilities)) {
        for (const shaderF16 of withAndWithout) {
          const planned = { ...capabilities, deviceClass, shaderF16 };
          await expectExact({ ...operation, dtype: "float16" }, planned, { runner }, units);
        }
      }
    });
  }
});
