/** One sample without a dimension for the batch, and batches of none: as PyTorch takes them, in every operation. */
import { ArgumentError, type ConvOptions, createEngine, type Engine, SolverError, type Tensor } from "webgpu-conv";
import * as reference from "webgpu-conv/reference";
import { describe, expect, test } from "vitest";
import { product } from "../../src/problem/geometry.js";
import { badCall, testRefusals, wrong } from "../support/badCall.js";
import { Random, smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";

type Family =
  "conv1d" | "conv2d" | "conv3d" | "convTranspose1d" | "convTranspose2d" | "convTranspose3d" | "locallyConnected2d";

interface Layer {
  readonly family: Family;
  /** Of one sample, without the batch. */
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly y: readonly number[];
  readonly options?: ConvOptions;
}

const LAYERS: readonly Layer[] = [
  { family: "conv1d", x: [4, 9], w: [6, 2, 3], y: [6, 5], options: { groups: 2, stride: 2, padding: 1 } },
  { family: "conv2d", x: [3, 5, 6], w: [4, 3, 3, 3], y: [4, 5, 6], options: { padding: "same" } },
  {
    family: "conv2d",
    x: [5, 6, 3],
    w: [3, 3, 3, 4],
    y: [3, 4, 4],
    options: { layout: "channels-last", weightLayout: "HWIO" },
  },
  { family: "conv2d", x: [8, 4, 4], w: [8, 8, 1, 1], y: [8, 4, 4] },
  { family: "conv3d", x: [2, 3, 4, 5], w: [3, 2, 2, 2, 2], y: [3, 2, 3, 4] },
  { family: "convTranspose1d", x: [2, 5], w: [2, 3, 3], y: [3, 11], options: { stride: 2 } },
  { family: "convTranspose2d", x: [2, 3, 4], w: [2, 3, 3, 3], y: [3, 6, 8], options: { stride: 2, padding: "same" } },
  { family: "convTranspose3d", x: [2, 2, 2, 2], w: [2, 1, 2, 2, 2], y: [1, 3, 3, 3] },
  { family: "locallyConnected2d", x: [2, 4, 5], w: [3, 4, 2, 2, 2, 2], y: [2, 3, 4] },
];

const nameOf = ({ family, options }: Layer): string => `${family} ${JSON.stringify(options ?? {})}`;

/** Every pass of a layer, with all that may be fused into it; shapes and values. */
async function passes(engine: Engine, layer: Layer, batch: readonly number[]): Promise<unknown> {
  const { family, options = {} } = layer;
  const random = new Random(9);
  const made: Tensor[] = [];
  const keep = <T extends Tensor>(tensor: T): T => {
    made.push(tensor);
    return tensor;
  };
  const tensor = (shape: readonly number[]): Tensor =>
    keep(engine.tensor(smallIntegers(random, product(shape)), shape));
  const [xShape, yShape] = [
    [...batch, ...layer.x],
    [...batch, ...layer.y],
  ];
  const channels = options.layout === "channels-last" ? layer.y[layer.y.length - 1] : layer.y[0];
  const [x, w, dy, residual, bias] = [xShape, layer.w, yShape, yShape, [channels]].map(tensor);
  const y = keep(engine[family](x, w, { ...options, bias, residual, activation: "relu" }));
  const masked = { ...options, activation: "relu", output: y } as const;
  const results: Record<string, Tensor> = {
    y,
    dx: engine[`${family}InputGradient`](dy, w, xShape, masked),
    dw: engine[`${family}WeightGradient`](dy, x, layer.w, masked),
    tanh: engine.activate(x, "tanh"),
    slope: engine.activationGradient(dy, { activation: "relu", output: y }),
  };
  if (family === "conv1d" || family === "conv2d" || family === "conv3d") {
    results.db = engine[`${family}BiasGradient`](dy, options);
    const { input, weight, bias: db } = engine[`${family}Backward`](dy, x, w, masked);
    Object.assign(results, { input, weight, bias: db });
  }
  const found = await Promise.all(
    Object.entries(results).map(async ([name, result]) => {
      keep(result);
      return [name, result.shape, await result.data(), (await engine.check(result)).nan] as const;
    }),
  );
  made.forEach((one) => one.dispose());
  return found;
}

type Found = readonly (readonly [name: string, shape: readonly number[], values: Float32Array, nan: number])[];

/** Results that have a batch, without it. */
const WITH_BATCH = new Set(["y", "dx", "tanh", "slope", "input"]);
const dropBatch = (found: unknown): unknown[] =>
  (found as Found).map(([name, shape, ...rest]) => [name, WITH_BATCH.has(name) ? shape.slice(1) : shape, ...rest]);

describe("one sample without a batch gives what a batch of one gives", () => {
  for (const layer of LAYERS) {
    gpuTest(nameOf(layer), async ({ engine }) => {
      using cpu = await createEngine({ backend: "cpu" });
      expect(await passes(cpu, layer, [])).toEqual(dropBatch(await passes(cpu, layer, [1])));
      const found = await passes(engine, layer, []);
      expect(found).toEqual(dropBatch(await passes(engine, layer, [1])));
      const [[, shape]] = found as Found;
      expect(shape).toEqual(layer.y);
    });
  }
});

describe("a batch of none gives no values, and zeros for what is summed over it", () => {
  for (const layer of LAYERS) {
    gpuTest(nameOf(layer), async ({ engine }) => {
      using cpu = await createEngine({ backend: "cpu" });
      for (const each of [engine, cpu]) {
        for (const [name, shape, values, nan] of (await passes(each, layer, [0])) as Found) {
          expect([name, shape.includes(0), nan]).toEqual([name, WITH_BATCH.has(name), 0]);
          expect(values, name).toEqual(new Float32Array(product(shape)));
        }
      }
    });
  }

  gpuTest("in float16, compiled, timed, written and explained", async ({ engine }) => {
    using x = engine.tensor([], [0, 3, 5, 5], { dtype: "float16" });
    using w = engine.tensor(new Float32Array(54).fill(1), [2, 3, 3, 3], { dtype: "float16" });
    using step = await engine.compile(() => {
      using y = engine.conv2d(x, w);
      return engine.conv2dWeightGradient(y, x, w.shape);
    });
    using dw = step.result;
    step.run();
    await engine.write(x, new Float32Array(0));
    expect(dw.dtype).toBe("float16");
    expect(await dw.data()).toEqual(new Float32Array(54));
    await engine.time(() => engine.conv2d(x, w).dispose());
    const shapes = { input: x.shape, weight: w.shape };
    const { flops, dispatches, workspaceBytes, problem, solver } = engine.explain("conv2d", shapes);
    expect([flops, dispatches, workspaceBytes, problem.outputShape]).toEqual([0, [], 0, [0, 2, 3, 3]]);
    expect(engine.explain("conv2d", { ...shapes, input: [1, 3, 5, 5] }).solver).toBe(solver);
    expect(() => engine.conv2d(x, w, { solver: "fft" })).toThrow(SolverError);
    await expect(engine.tuning.tune("conv2d", shapes)).rejects.toThrow(ArgumentError);
    await expect(engine.draw(x, wrong(undefined))).rejects.toThrow(/sample is 0; expected an integer below 0/);
  });
});

describe("the reference", () => {
  test("takes both", () => {
    const values = Float32Array.of(1, 2, 3, 4);
    const single = reference.makeProblem(2, [1, 2, 2], [1, 1, 1, 1]);
    expect(single.outputShape).toEqual([1, 2, 2]);
    expect(reference.forward(single, values, [2])).toEqual(Float64Array.of(2, 4, 6, 8));
    const none = reference.makeProblem(2, [0, 1, 2, 2], [1, 1, 1, 1], { padding: 1, paddingMode: "replicate" });
    expect(reference.forward(none, [], [2])).toEqual(new Float64Array());
    expect(reference.inputGradient(none, [], [2])).toEqual(new Float64Array());
    expect(reference.weightGradient(none, [], [])).toEqual(new Float64Array(1));
    expect(reference.biasGradient(none, [])).toEqual(new Float64Array(1));
    expect(reference.errorBound(none, "weightGradient", { dy: [], x: [] })).toEqual(new Float64Array(1));
    const transposed = reference.makeTransposedProblem(1, [2, 3], [2, 1, 2], { stride: 2 });
    expect([transposed.inputShape, transposed.outputShape]).toEqual([
      [1, 6],
      [2, 3],
    ]);
  });
});

// x [1, 4, 5, 5], w [6, 4, 3, 3], dy [1, 6, 3, 3]
testRefusals({
  "batches that there are not": [
    badCall("no channels", ArgumentError, [/\[1, 0, 5, 5\]/, /at least 1/], (engine, { dy, w }) =>
      engine.conv2dInputGradient(dy, w, [1, 0, 5, 5]),
    ),
    badCall("no channels in one sample", ArgumentError, [/\[0, 5, 5\]/, /at least 1/], (engine, { dy, w }) =>
      engine.conv2dInputGradient(dy, w, [0, 5, 5]),
    ),
    badCall("no width", ArgumentError, [/\[0, 4, 5, 0\]/, /0 for the batch/], (engine) =>
      engine.tensor([], [0, 4, 5, 0]),
    ),
    badCall("no filters", ArgumentError, [/\[0, 4, 3, 3\]/, /at least 1/], (engine, { x, dy }) =>
      engine.conv2dWeightGradient(dy, x, [0, 4, 3, 3]),
    ),
    badCall(
      "a residual with a batch for a sample without",
      ArgumentError,
      [/\[1, 6, 3, 3\]/, /\[6, 3, 3\]/],
      (engine, { w, dy }) => {
        using sample = engine.tensor(new Float32Array(100), [4, 5, 5]);
        return engine.conv2d(sample, w, { residual: dy });
      },
    ),
    badCall(
      "dy with a batch for a sample without",
      ArgumentError,
      [/\[1, 6, 3, 3\]/, /\[6, 3, 3\]/],
      (engine, { w, dy }) => engine.conv2dInputGradient(dy, w, [4, 5, 5]),
    ),
    badCall("two dimensions", ArgumentError, [/\[10, 10\]/, /4 dimensions \[N, C, H, W\], or/], (engine, { w }) => {
      using flat = engine.tensor(new Float32Array(100), [10, 10]);
      return engine.conv2d(flat, w);
    }),
  ],
});
