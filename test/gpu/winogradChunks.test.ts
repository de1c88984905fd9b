/** Winograd's tiles in chunks, which take turns in the same scratch memory: the bits of a plan with one chunk, within less of it. */
import type { ConvOptions, Engine, Tensor } from "webgpu-conv";
import { makeProblem, winogradErrorBound } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import type { Capabilities } from "../../src/planning/capabilities.js";
import type { DeviceClass } from "../../src/planning/devices.js";
import { type SolverPlan, workspaceBytes } from "../../src/planning/solver.js";
import { select } from "../../src/solvers/select.js";
import type { ConvOperation } from "../../src/problem/operation.js";
import { Random, reals, smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { boundMismatch, exactMismatch } from "../support/mismatch.js";
import {
  expectedResults,
  makeValues,
  maskedGradient,
  operationName,
  operationsOf,
  passOf,
  type RoleValues,
} from "../support/operations.js";

interface Layer {
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions;
}

/** Numbers of tiles that no chunk divides; tiles that are cut off; chunks that end within a sample, a row, or a phase. */
const LAYERS: Readonly<Record<string, Layer>> = {
  "3x3, odd sizes, three samples": { input: [3, 6, 13, 15], weight: [10, 6, 3, 3], options: { padding: 1 } },
  "3x3, grouped, uneven padding, channels-last": {
    input: [2, 11, 9, 8],
    weight: [6, 4, 3, 3],
    options: {
      groups: 2,
      layout: "channels-last",
      padding: [
        [2, 1],
        [0, 1],
      ],
    },
  },
  "3x3, dilated and reflected": {
    input: [1, 5, 12, 13],
    weight: [6, 5, 3, 3],
    options: { dilation: [2, 3], padding: 3, paddingMode: "reflect" },
  },
  "3x3, planes in vectors": { input: [2, 5, 16, 16], weight: [3, 5, 3, 3], options: { padding: 1 } },
  "5x5": { input: [2, 7, 11, 10], weight: [5, 7, 5, 5], options: { padding: 2 } },
};
/** K of the product takes two blocks. */
const LONG: Layer = { input: [1, 300, 5, 6], weight: [5, 300, 3, 3], options: { padding: 1 } };
const SEED = 11;

/** Of a forward pass or an input gradient. */
function gatheredBound(operation: ConvOperation, values: RoleValues, tile: 2 | 4): Float64Array {
  const { problem, direction, bias } = operation;
  const operands = { x: values.x, w: values.w, ...(bias && { bias: values.bias, residual: values.residual }) };
  if (direction === "forward") return winogradErrorBound(problem, "forward", operands, tile);
  const dy = maskedGradient(operation, values);
  return winogradErrorBound(problem, "inputGradient", { x: values.x, w: values.w, dy }, tile);
}

const planOf = (operation: ConvOperation, capabilities: Capabilities, config: Readonly<Record<string, number>>) =>
  select(operation, capabilities, { name: "winograd", config }).plan;

const kernelsOf = ({ dispatches }: SolverPlan, name: string): SolverPlan["dispatches"] =>
  dispatches.filter(({ kernel }) => kernel.name === name);

/** How many pipelines are compiled: kernels with constants and types of their own. */
const pipelinesOf = ({ dispatches }: SolverPlan): number =>
  new Set(dispatches.map(({ kernel, constants, types }) => JSON.stringify([kernel.name, constants, types]))).size;

describe.each(Object.entries(LAYERS))("%s", (_, { input, weight, options }) => {
  const problem = makeProblem(2, input, weight, options);
  const operations = operationsOf(problem).filter(({ direction }) => direction !== "biasGradient");
  const tiles = weight[2] === 5 ? [2] : [2, 4];

  for (const tile of tiles) {
    gpuTest(`tiles of ${String(tile)}: chunks change no bit of gathered results`, async ({ runner, capabilities }) => {
      const values = makeValues(problem, SEED, reals);
      for (const operation of operations.filter(({ direction }) => direction !== "weightGradient")) {
        const whole = planOf(operation, capabilities, { tile });
        expect(kernelsOf(whole, "winograd_source")).toHaveLength(1);
        const [expected] = await runner.run(operation, whole, values);
        for (const chunkTiles of [3, 7]) {
          const cut = planOf(operation, capabilities, { tile, chunkTiles });
          expect(kernelsOf(cut, "winograd_source").length).toBeGreaterThan(1);
          expect(kernelsOf(cut, "winograd_filter")).toHaveLength(1);
          expect(workspaceBytes(cut)).toBeLessThan(workspaceBytes(whole));
          expect(pipelinesOf(cut)).toBe(new Set(cut.dispatches.map(({ kernel }) => kernel.name)).size);
          const [actual] = await runner.run(operation, cut, values);
          expect(exactMismatch(actual, expected), operationName(operation)).toBeUndefined();
        }
      }
    });

    gpuTest(`tiles of ${String(tile)}: chunks of a weight gradient add up`, async ({ runner, capabilities }) => {
      for (const operation of operations.filter(({ direction }) => direction === "weightGradient")) {
        for (const fill of tile === 2 && weight[2] === 3 ? [smallIntegers, reals] : [reals]) {
          const values = makeValues(problem, SEED, fill);
          const cut = planOf(operation, capabilities, { tile, chunkTiles: 7 });
          const chunks = kernelsOf(cut, "winograd_sum_chunks").length;
          expect(chunks).toBeGreaterThan(1);
          expect(kernelsOf(cut, "winograd_source")).toHaveLength(2 * chunks);
          // Two of the transform: of x, and of dy.
          expect(pipelinesOf(cut)).toBe(new Set(cut.dispatches.map(({ kernel }) => kernel.name)).size + 1);
          const results = await runner.run(operation, cut, values);
          const expected = expectedResults(operation, values);
          if (fill === smallIntegers) {
            results.forEach((actual, i) => expect(exactMismatch(actual, expected[i])).toBeUndefined());
            continue;
          }
          const operands = { x: values.x, w: values.w, dy: maskedGradient(operation, values) };
          const bound = winogradErrorBound(
            problem,
            passOf(operation) as "weightGradient",
            operands,
            tile === 2 ? 2 : 4,
          );
          expect(boundMismatch(results[0], expected[0], bound), operationName(operation)).toBeUndefined();
          // In the same order each time.
          expect(exactMismatch((await runner.run(operation, cut, values))[0], results[0])).toBeUndefined();
        }
      }
    });
  }
});

/** One whose scratch memory all stays in its last cache, and one of few registers. */
const CLASSES: readonly DeviceClass[] = ["amd-rdna", "intel-xe-lp"];

describe.each(CLASSES)("plans for %s", (deviceClass) => {
  gpuTest("are cut where a buffer holds few tiles, and exact", async ({ runner, capabilities }) => {
    const problem = makeProblem(2, [5, 20, 22, 19], [24, 20, 3, 3], { padding: 1 });
    const limits = { ...capabilities.limits, maxStorageBufferBindingSize: 400_000 };
    const planned = { ...capabilities, deviceClass, limits };
    const values = makeValues(problem, SEED, smallIntegers);
    const operations = operationsOf(problem).filter(
      ({ direction, bias, activation, masked }) =>
        (direction === "forward" && activation.name === "relu") ||
        (direction === "inputGradient" && masked) ||
        (direction === "weightGradient" && bias),
    );
    expect(operations).toHaveLength(3);
    for (const operation of operations) {
      const { plan } = select(operation, planned, { name: "winograd", config: { tile: 2 } });
      expect(plan.dispatches.filter(({ multiplyAdds }) => multiplyAdds !== undefined).length).toBeGreaterThan(1);
      for (const bytes of Object.values(plan.scratchBytes)) expect(bytes).toBeLessThanOrEqual(400_000);
      const results = await runner.run(operation, plan, values);
      expectedResults(operation, values).forEach((expected, i) => {
        expect(exactMismatch(results[i], expected), operationName(operation)).toBeUndefined();
      });
    }
  });
});

/** One whose lanes share scalars, and those whose lanes each hold their own. */
describe.each(["intel-xe-lp", "adreno", "mali"] as const)("products for %s", (deviceClass) => {
  gpuTest("are by scalar tiles, and exact", async ({ runner, capabilities }) => {
    const problem = makeProblem(2, [5, 20, 22, 19], [27, 20, 3, 3], { padding: 1 });
    const values = makeValues(problem, SEED, smallIntegers);
    const operations = operationsOf(problem).filter(
      ({ direction, activation, masked }) =>
        (direction === "forward" && activation.name === "relu") || (direction === "inputGradient" && masked),
    );
    for (const operation of operations) {
      const plan = planOf(operation, { ...capabilities, deviceClass }, { tile: 2 });
      expect(kernelsOf(plan, "scalar_tile")).toHaveLength(1);
      const [actual] = await runner.run(operation, plan, values);
      expect(exactMismatch(actual, expectedResults(operation, values)[0]), operationName(operation)).toBeUndefined();
    }
  });
});

/** Ends of M, N and K; K of several blocks; K in parts. */
const SCALAR_PRODUCTS = [
  { threads: 32, mPerThread: 8, placesPerThread: 1, unroll: 4 },
  { threads: 64, mPerThread: 16, placesPerThread: 1, unroll: 3, splitK: 2 },
  { threads: 16, mPerThread: 4, placesPerThread: 2, unroll: 2, chunkTiles: 12 },
];

describe.each(Object.entries({ ...LAYERS, "3x3, long sums": LONG }))("scalar products: %s", (_, layer) => {
  const problem = makeProblem(2, layer.input, layer.weight, layer.options);
  const extent = layer.weight[2];
  const operations = operationsOf(problem).filter(
    ({ direction, activation, masked }) =>
      (direction === "forward" && activation.name === "relu") || (direction === "inputGradient" && masked),
  );

  gpuTest("are exact in F(2x2, 3x3), within the bound in others", async ({ runner, capabilities }) => {
    expect(operations.length).toBeGreaterThan(1);
    for (const operation of operations) {
      for (const [i, product] of SCALAR_PRODUCTS.entries()) {
        const tile = extent === 3 && i < 2 ? 2 : extent === 3 ? 4 : 2;
        const isExact = extent === 3 && tile === 2;
        const values = makeValues(problem, SEED, isExact ? smallIntegers : reals);
        const plan = planOf(operation, capabilities, { tile, ...product });
        expect(kernelsOf(plan, "scalar_tile").length).toBeGreaterThan(0);
        expect(kernelsOf(plan, "pack_columns")).toHaveLength(0);
        const [actual] = await runner.run(operation, plan, values);
        const [expected] = expectedResults(operation, values);
        const mismatch = isExact
          ? exactMismatch(actual, expected)
          : boundMismatch(actual, expected, gatheredBound(operation, values, tile));
        expect(mismatch, `${operationName(operation)}, ${JSON.stringify(product)}`).toBeUndefined();
      }
    }
  });
});

describe("calls in chunks", () => {
  const INPUT = [2, 8, 12, 12];
  const WEIGHT = [8, 8, 3, 3];
  const solverOf = (chunkTiles?: number, product: Readonly<Record<string, number>> = {}) => ({
    name: "winograd",
    config: { tile: 2, ...product, ...(chunkTiles !== undefined && { chunkTiles }) },
  });
  const optionsOf = (chunkTiles?: number, product?: Readonly<Record<string, number>>) => ({
    padding: 1,
    solver: solverOf(chunkTiles, product),
  });
  const inputs = (engine: Engine, dtype: "float32" | "float16") => {
    const of = (seed: number, shape: readonly number[]): Tensor =>
      engine.tensor(
        smallIntegers(
          new Random(seed),
          shape.reduce((a, b) => a * b),
        ),
        shape,
        { dtype },
      );
    return { x: of(1, INPUT), w: of(2, WEIGHT) };
  };

  for (const dtype of ["float32", "float16"] as const) {
    gpuTest(`of ${dtype} give the same with filters kept, and in a sequence`, async ({ engine }) => {
      const { x, w } = inputs(engine, dtype);
      using whole = engine.conv2d(x, w, optionsOf());
      const expected = [...(await whole.data())];
      for (const product of [undefined, SCALAR_PRODUCTS[0]]) {
        for (let call = 0; call < 3; call++) {
          using y = engine.conv2d(x, w, optionsOf(10, product));
          expect([...(await y.data())]).toEqual(expected);
        }
      }
      using sequence = await engine.compile(() => engine.conv2d(x, w, optionsOf(10)));
      for (let run = 0; run < 2; run++) {
        sequence.run();
        expect([...(await sequence.result.data())]).toEqual(expected);
      }
      sequence.result.dispose();
      x.dispose();
      w.dispose();
    });
  }

  gpuTest("say how much scratch memory they take", ({ engine }) => {
    const workspaceOf = (chunkTiles?: number): number =>
      engine.explain("conv2d", { input: INPUT, weight: WEIGHT }, optionsOf(chunkTiles)).workspaceBytes;
    // 72 tiles of 16 products in 8 and 8 channels, and 64 filters.
    const filters = 4 * 16 * 64;
    expect(workspaceOf()).toBe(4 * 16 * 16 * 72 + filters);
    expect(workspaceOf(20)).toBe(4 * 16 * 16 * 20 + filters);
    expect(() => workspaceOf(0)).toThrow(/chunkTiles is 0; expected a positive integer/);
    const many = { input: [2, 8, 200, 200], weight: WEIGHT };
    expect(() => engine.explain("conv2d", many, optionsOf(10))).toThrow(/chunkTiles is 10; expected at least 20/);
  });
});
