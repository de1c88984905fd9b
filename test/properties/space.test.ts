/**
 * Random layers from the whole space, all passes, bit for bit. Each layer follows from its seed alone:
 * `CONV_SEED=123 npx vitest run test/properties/space` runs layer 123 and no other; `CONV_COUNT=1000` runs that many.
 */
import type { Engine, GradientOptions, Tensor, TransposedSize } from "webgpu-conv";
import {
  biasGradient,
  type ConvProblem,
  forward,
  inputGradient,
  makeProblem,
  makeTransposedProblem,
  weightGradient,
} from "webgpu-conv/reference";
import { expect } from "vitest";
import { product } from "../../src/geometry.js";
import { Random } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import { type RandomLayer, randomLayer } from "../support/randomSpace.js";
import { seedsToRun } from "../support/seeds.js";

const DEFAULT_COUNT = 40;
const LAYERS_A_TEST = 10;

/** Sums of products of these stay below 2,048 here, up to which float16 has every integer. */
const tinyIntegers = (random: Random, count: number): Float32Array =>
  Float32Array.from({ length: count }, () => random.integer(-1, 1));

type Values = Readonly<Record<"x" | "w" | "dy" | "bias", Float32Array>>;

/** What the reference computes: result, dx, dw and db of the layer. */
function expected({ transposed }: RandomLayer, problem: ConvProblem, { x, w, dy, bias }: Values): Float64Array[] {
  if (!transposed) {
    return [
      forward(problem, x, w, { bias, activation: "relu6" }),
      inputGradient(problem, dy, w),
      weightGradient(problem, dy, x),
      biasGradient(problem, dy),
    ];
  }
  return [
    inputGradient(problem, x, w, { bias, activation: "relu6" }),
    forward(problem, dy, w),
    weightGradient(problem, x, dy),
  ];
}

type Method = (a: Tensor, b: Tensor, c?: unknown, d?: unknown) => Tensor;

/** What the engine computes, in the same order. */
function computed(engine: Engine, layer: RandomLayer, tensors: Readonly<Record<keyof Values, Tensor>>, solver: string) {
  const { rank, transposed, input, weight } = layer;
  const name = `conv${transposed ? "Transpose" : ""}${String(rank)}d`;
  const methods = engine as unknown as Record<string, Method>;
  const call = (suffix: string, ...rest: Parameters<Method>): Tensor => methods[name + suffix].apply(engine, rest);
  const options: GradientOptions & TransposedSize = { ...layer.options, solver };
  const { x, w, dy, bias } = tensors;
  const results = [
    call("", x, w, { ...options, bias, activation: "relu6" }),
    call("InputGradient", dy, w, input, options),
    call("WeightGradient", dy, x, weight, options),
  ];
  const { layout } = layer.options;
  if (transposed || layout === undefined) return results;
  const biasOf = (methods[`${name}BiasGradient`] as unknown as (dy: Tensor, options: GradientOptions) => Tensor).bind(
    engine,
  );
  return [...results, biasOf(dy, { layout })];
}

async function check(engine: Engine, seed: number): Promise<string[]> {
  const random = new Random(seed);
  const layer = randomLayer(random);
  const { rank, transposed, dtype, input, weight, options } = layer;
  const problem = (transposed ? makeTransposedProblem : makeProblem)(rank, input, weight, options);
  const result = transposed ? problem.inputShape : problem.outputShape;
  const channels = transposed ? problem.inChannels : problem.outChannels;
  const shapes = { x: input, w: weight, dy: result, bias: [channels] };
  const entries = Object.entries(shapes).map(([name, shape]) => [name, tinyIntegers(random, product(shape))] as const);
  const values = Object.fromEntries(entries) as Values;
  const tensors = Object.fromEntries(
    entries.map(([name, data]) => [name, engine.tensor(data, shapes[name as keyof Values], { dtype })]),
  ) as Record<keyof Values, Tensor>;
  const solver = random.pick(["direct", "register-tile", "implicit-gemm"]);
  const results = computed(engine, layer, tensors, solver);
  const found = await Promise.all(results.map(async (tensor) => await tensor.data()));
  for (const tensor of [...results, ...Object.values(tensors)]) tensor.dispose();
  return expected(layer, problem, values).flatMap((wanted, i) => {
    const mismatch = exactMismatch(found[i], wanted);
    const pass = ["forward", "input gradient", "weight gradient", "bias gradient"][i];
    const rerun = `CONV_SEED=${String(seed)} npx vitest run test/properties/space`;
    return mismatch === undefined ? [] : [`${rerun}  # ${JSON.stringify(layer)} ${pass} by ${solver}: ${mismatch}`];
  });
}

const seeds = seedsToRun(DEFAULT_COUNT);
for (let start = 0; start < seeds.length; start += LAYERS_A_TEST) {
  const some = seeds.slice(start, start + LAYERS_A_TEST);
  gpuTest(`random layers ${String(some[0])} to ${String(some[some.length - 1])}`, async ({ engine }) => {
    const failures: string[] = [];
    for (const seed of some) failures.push(...(await check(engine, seed)));
    expect(failures.join("\n")).toBe("");
  });
}
