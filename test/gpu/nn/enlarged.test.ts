/** Convolutions of enlarged maps: one transposed convolution of the maps themselves. */
import type { DType, Engine, Tensor } from "webgpu-conv";
import {
  disposeModule,
  explainNetwork,
  type LoadedModel,
  loadModel,
  mean,
  parametersOf,
  runTiled,
  Tape,
} from "webgpu-conv/nn";
import { readOnnx } from "webgpu-conv/io";
import { forward, makeProblem, type Rank } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { Random } from "../../support/data.js";
import { gpuTest } from "../../support/gpuTest.js";
import { floats, load } from "../../support/io/loadOnnx.js";
import { type ModelSpec, onnxFile } from "../../support/io/onnxFile.js";

interface Case {
  readonly name: string;
  readonly shape: readonly number[];
  readonly factor: readonly number[];
  readonly weight: readonly number[];
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
  readonly groups?: number;
  readonly strides?: readonly number[];
  /** Of nearest modes; asymmetric and floor when absent. */
  readonly coordinates?: string;
  readonly rounding?: string;
  /** Whether it is one pass. */
  readonly isOne: boolean;
}

const CASES: readonly Case[] = [
  { name: "3x3 after 2", shape: [2, 3, 5, 7], factor: [2, 2], weight: [4, 3, 3, 3], pads: [1, 1, 1, 1], isOne: true },
  { name: "3x3 after 4", shape: [1, 5, 4, 3], factor: [4, 4], weight: [3, 5, 3, 3], pads: [1, 1, 1, 1], isOne: true },
  { name: "5x5 after 3", shape: [1, 2, 3, 4], factor: [3, 3], weight: [2, 2, 5, 5], pads: [2, 2, 2, 2], isOne: true },
  { name: "no padding", shape: [1, 2, 4, 3], factor: [2, 3], weight: [3, 2, 3, 2], isOne: true },
  { name: "more before", shape: [1, 2, 4, 3], factor: [2, 2], weight: [3, 2, 4, 3], pads: [3, 0, 1, 2], isOne: true },
  { name: "1x1", shape: [1, 4, 3, 3], factor: [2, 2], weight: [5, 4, 1, 1], isOne: true },
  {
    name: "dilated",
    shape: [1, 2, 5, 4],
    factor: [2, 2],
    weight: [3, 2, 3, 3],
    pads: [2, 3, 2, 3],
    dilations: [2, 3],
    isOne: true,
  },
  {
    name: "grouped",
    shape: [1, 6, 4, 5],
    factor: [2, 2],
    weight: [9, 2, 3, 3],
    pads: [1, 1, 1, 1],
    groups: 3,
    isOne: true,
  },
  { name: "a line", shape: [2, 3, 9], factor: [5], weight: [2, 3, 3], pads: [1, 1], isOne: true },
  {
    name: "a volume",
    shape: [1, 2, 3, 2, 4],
    factor: [2, 1, 3],
    weight: [3, 2, 3, 3, 3],
    pads: [1, 1, 1, 1, 1, 1],
    isOne: true,
  },
  {
    name: "nearest centres",
    shape: [1, 2, 3, 4],
    factor: [2, 3],
    weight: [2, 2, 3, 3],
    pads: [1, 1, 1, 1],
    coordinates: "half_pixel",
    rounding: "round_prefer_ceil",
    isOne: true,
  },
  // Values are not repeated from the first on; results are left out; there is more padding than a filter reaches.
  {
    name: "rounded up",
    shape: [1, 2, 3, 4],
    factor: [2, 2],
    weight: [2, 2, 3, 3],
    pads: [1, 1, 1, 1],
    rounding: "ceil",
    isOne: false,
  },
  {
    name: "strided",
    shape: [1, 2, 4, 4],
    factor: [2, 2],
    weight: [2, 2, 3, 3],
    pads: [1, 1, 1, 1],
    strides: [2, 2],
    isOne: false,
  },
  { name: "padded far", shape: [1, 2, 3, 3], factor: [2, 2], weight: [2, 2, 1, 1], pads: [1, 1, 1, 1], isOne: false },
];

const valuesOf = (count: number, seed: number): Float32Array<ArrayBuffer> => {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.next() - 0.5);
};
const count = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);

/** Resize, Conv, and a relu. */
function modelOf({ weight, factor, pads, dilations, groups = 1, strides, ...how }: Case): ModelSpec {
  const { coordinates = "asymmetric", rounding = "floor" } = how;
  const resize = { mode: "nearest", coordinate_transformation_mode: coordinates, nearest_mode: rounding };
  const conv = { group: groups, ...(pads && { pads }), ...(dilations && { dilations }), ...(strides && { strides }) };
  return {
    inputs: { x: [] },
    outputs: ["y"],
    nodes: [
      { op: "Resize", inputs: ["x", "", "scales"], outputs: ["large"], attributes: resize },
      { op: "Conv", inputs: ["large", "w", "b"], outputs: ["sum"], attributes: conv },
      { op: "Relu", inputs: ["sum"], outputs: ["y"] },
    ],
    initialisers: {
      scales: floats(1, 1, ...factor),
      w: { shape: weight, data: valuesOf(count(weight), 2) },
      b: floats(...valuesOf(weight[0], 3)),
    },
  };
}

/** Values at `floor(position / factor)`; at its ceiling where they are rounded up. */
function enlarge(x: Float32Array, shape: readonly number[], factor: readonly number[], isUp: boolean): Float32Array {
  const spatial = shape.slice(2);
  const large = spatial.map((extent, axis) => extent * factor[axis]);
  const planes = shape[0] * shape[1];
  const result = new Float32Array(planes * count(large));
  for (let i = 0; i < result.length; i++) {
    let [rest, place, stride] = [i, 0, 1];
    for (let axis = spatial.length - 1; axis >= 0; axis--) {
      const position = (rest % large[axis]) / factor[axis];
      place += stride * Math.min(spatial[axis] - 1, isUp ? Math.ceil(position) : Math.floor(position));
      rest = Math.floor(rest / large[axis]);
      stride *= spatial[axis];
    }
    result[i] = x[rest * stride + place];
  }
  return result;
}

/** In float64. */
function expectedOf(given: Case, x: Float32Array, w: Float32Array): Float64Array {
  const { shape, factor, weight, pads, dilations, groups, strides, rounding } = given;
  const rank = factor.length as Rank;
  const large = [...shape.slice(0, 2), ...shape.slice(2).map((extent, axis) => extent * factor[axis])];
  const problem = makeProblem(rank, large, weight, {
    padding: factor.map((_, axis) => [pads?.[axis] ?? 0, pads?.[rank + axis] ?? 0] as const),
    ...(dilations && { dilation: dilations }),
    ...(groups !== undefined && { groups }),
    ...(strides && { stride: strides }),
  });
  const bias = valuesOf(weight[0], 3);
  return forward(problem, enlarge(x, shape, factor, rounding === "ceil"), w, { bias, activation: "relu" });
}

/** Sums of up to 300 products of numbers below 1/2, in float32, some of them added to one another first. */
function expectNear(actual: ArrayLike<number>, expected: Float64Array): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(Math.abs(actual[i] - value)).toBeLessThan(1e-5);
}

const operationsOf = (model: LoadedModel, shape: readonly number[], dtype: DType = "float32"): string[] =>
  explainNetwork(model, shape, { dtype }).layers.flatMap(({ operations }) => operations.map(({ name }) => name));

describe("a convolution of an enlarged map", () => {
  for (const given of CASES) {
    gpuTest(`${given.name}: the reference's, ${given.isOne ? "in one pass" : "in two"}`, async ({ bare: engine }) => {
      const model = await load(engine, modelOf(given));
      const x = valuesOf(count(given.shape), 1);
      using input = engine.tensor(x, given.shape);
      using y = model.forward(input);
      expectNear(await y.data(), expectedOf(given, x, valuesOf(count(given.weight), 2)));
      expect(operationsOf(model, given.shape).length).toBe(given.isOne ? 1 : 2);
      disposeModule(model);
    });
  }

  const [plain] = CASES;
  const x = valuesOf(count(plain.shape), 1);
  const run = async (engine: Engine, model: LoadedModel): Promise<Float32Array> => {
    using input = engine.tensor(x, plain.shape);
    using y = model.forward(input);
    return await y.data();
  };

  gpuTest("adds and activates in the same pass, and goes by weights as they are", async ({ bare: engine }) => {
    const spec = modelOf(plain);
    const [resize, conv, last] = spec.nodes;
    const sum = { op: "Add", inputs: ["sum", "more"], outputs: ["all"] };
    const model = await load(engine, {
      ...spec,
      inputs: { x: [], more: [] },
      nodes: [resize, conv, sum, { ...last, inputs: ["all"] }],
    });
    const shape = [2, 4, 10, 14];
    const more = valuesOf(count(shape), 4);
    const w = parametersOf(model)["sum.weight"];
    for (const seed of [2, 9]) {
      const values = valuesOf(count(plain.weight), seed);
      await engine.write(w, values);
      using input = engine.tensor(x, plain.shape);
      using added = engine.tensor(more, shape);
      const { y } = model.run({ x: input, more: added });
      const problem = makeProblem(2, [2, 3, 10, 14], plain.weight, { padding: 1 });
      const bias = valuesOf(4, 3);
      const sums = forward(problem, enlarge(x, plain.shape, plain.factor, false), values, { bias });
      expectNear(
        await y.data(),
        sums.map((value, i) => Math.max(0, value + more[i])),
      );
      y.dispose();
    }
    disposeModule(model);
  });

  gpuTest("goes by weights as they are in a pass that was recorded, too", async ({ bare: engine }) => {
    const model = await load(engine, modelOf(plain));
    const pass = await model.compile(plain.shape);
    for (const seed of [2, 9, 9, 2]) {
      const w = valuesOf(count(plain.weight), seed);
      await engine.write(parametersOf(model)["sum.weight"], w);
      const { y } = await pass.run({ x });
      expectNear(await y.data(), expectedOf(plain, x, w));
    }
    pass.dispose();
    disposeModule(model);
  });

  gpuTest("has the same bits by tiles", async ({ bare: engine }) => {
    const spec = modelOf({ ...plain, shape: [1, 3, 23, 19], factor: [4, 4] });
    const first = { op: "Conv", inputs: ["x", "v"], outputs: ["features"], attributes: { pads: [1, 1, 1, 1] } };
    const [resize, ...others] = spec.nodes;
    const model = await load(engine, {
      ...spec,
      nodes: [first, { ...resize, inputs: ["features", "", "scales"] }, ...others],
      initialisers: { ...spec.initialisers, v: { shape: [3, 3, 3, 3], data: valuesOf(81, 5) } },
    });
    const shape = [3, 23, 19];
    const values = valuesOf(count(shape), 1);
    using input = engine.tensor(values, [1, ...shape]);
    using whole = model.forward(input);
    for (const tile of [
      [20, 12],
      [8, 76],
      [36, 36],
    ]) {
      const tiled = await runTiled(model, { shape, values }, { tile });
      expect(tiled.tiles).toBeGreaterThan(1);
      expect([...(tiled.values ?? [])]).toEqual([...(await whole.data())]);
    }
    disposeModule(model);
  });

  gpuTest("is two passes in training, where gradients are recorded, and in float16", async ({ bare: engine }) => {
    const model = await load(engine, modelOf(plain));
    const once = await run(engine, model);
    model.training = true;
    const twice = await run(engine, model);
    expect([...once].some((value, i) => value !== twice[i])).toBe(true);
    expectNear(once, Float64Array.from(twice));
    const gradientIn = async (training: boolean): Promise<Float32Array> => {
      model.training = training;
      using input: Tensor = engine.tensor(x, plain.shape);
      using tape = new Tape(engine);
      const loss = tape.run(() => mean(model.forward(input)));
      const { weight } = tape.gradients(loss, { weight: parametersOf(model)["sum.weight"] });
      loss.dispose();
      using made = weight;
      return await made.data();
    };
    expect([...(await gradientIn(false))]).toEqual([...(await gradientIn(true))]);
    disposeModule(model);
    const half = loadModel(engine, await readOnnx(onnxFile(modelOf(plain))), { dtype: "float16" });
    expect(operationsOf(half, plain.shape, "float16").length).toBe(2);
    disposeModule(half);
  });
});
