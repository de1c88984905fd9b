/**
 * Random layers from the whole space, all passes, bit for bit. Each layer follows from its seed alone:
 * `CONV_SEED=123 npx vitest run test/properties/space` runs layer 123 and no other; `CONV_COUNT=1000` runs that many.
 */
import type { Engine, Tensor } from "webgpu-conv";
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
import { fromHalfBits, toHalfBits } from "../../src/base/half.js";
import { product } from "../../src/problem/geometry.js";
import { Random } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";
import { type RandomLayer, randomLayer } from "../support/randomSpace.js";
import { seedsToRun } from "../support/seeds.js";

const LAYERS_A_TEST = 5;

/** Sums of products of these are exact. */
const tinyIntegers = (random: Random, count: number): Float32Array =>
  Float32Array.from({ length: count }, () => random.integer(-1, 1));

/** Whole numbers stay whole under these. */
const ACTIVATIONS = ["none", "relu", "relu6"] as const;

const ROLES = ["x", "w", "dy", "bias", "residual"] as const;
type Role = (typeof ROLES)[number];

/** A layer with what was drawn beside it. */
interface Draw {
  readonly layer: RandomLayer;
  readonly problem: ConvProblem;
  readonly values: Readonly<Record<Role, Float32Array>>;
  readonly shapes: Readonly<Record<Role, readonly number[]>>;
  readonly activation: (typeof ACTIVATIONS)[number];
  readonly hasResidual: boolean;
  readonly solver: string;
}

function draw(seed: number): Draw {
  const random = new Random(seed);
  const layer = randomLayer(random);
  const { rank, transposed, input, weight, options } = layer;
  const problem = (transposed ? makeTransposedProblem : makeProblem)(rank, input, weight, options);
  const result = transposed ? problem.inputShape : problem.outputShape;
  const channels = transposed ? problem.inChannels : problem.outChannels;
  const shapes = { x: input, w: weight, dy: result, bias: [channels], residual: result };
  const filled = ROLES.map((role) => [role, tinyIntegers(random, product(shapes[role]))] as const);
  return {
    layer,
    problem,
    shapes,
    values: Object.fromEntries(filled) as Draw["values"],
    activation: random.pick(ACTIVATIONS),
    hasResidual: random.pick([false, true]),
    solver: random.pick(["direct", "register-tile", "implicit-gemm"]),
  };
}

/** What the reference computes: result, dx, dw and, of what is not transposed, db; rounded as the layer's dtype is. */
function expected({ layer, problem, values, activation, hasResidual }: Draw): ArrayLike<number>[] {
  const { x, w, dy, bias, residual } = values;
  const extras = { bias, ...(hasResidual && { residual }), activation };
  const results = layer.transposed
    ? [inputGradient(problem, x, w, extras), forward(problem, dy, w), weightGradient(problem, x, dy)]
    : [
        forward(problem, x, w, extras),
        inputGradient(problem, dy, w),
        weightGradient(problem, dy, x),
        biasGradient(problem, dy),
      ];
  return layer.dtype === "float16" ? results.map(roundToHalf) : results;
}

const roundToHalf = (values: Float64Array): Float64Array => values.map((value) => fromHalfBits(toHalfBits(value)));

/** What the engine computes, in the same order. */
function computed(engine: Engine, { layer, ...drawn }: Draw, tensors: Readonly<Record<Role, Tensor>>): Tensor[] {
  const { rank, transposed, input, weight } = layer;
  const { x, w, dy, bias, residual } = tensors;
  const options = { ...layer.options, solver: drawn.solver };
  const fused = { ...options, bias, ...(drawn.hasResidual && { residual }), activation: drawn.activation };
  const name = transposed ? (`convTranspose${rank}d` as const) : (`conv${rank}d` as const);
  const results = [
    engine[name](x, w, fused),
    engine[`${name}InputGradient`](dy, w, input, options),
    engine[`${name}WeightGradient`](dy, x, weight, options),
  ];
  if (transposed || layer.options.layout === undefined) return results;
  return [...results, engine[`conv${rank}dBiasGradient`](dy, { layout: layer.options.layout })];
}

async function check(engine: Engine, seed: number): Promise<string[]> {
  const drawn = draw(seed);
  const { layer, values, shapes, solver } = drawn;
  const uploaded = ROLES.map((role) => {
    return [role, engine.tensor(values[role], shapes[role], { dtype: layer.dtype })] as const;
  });
  const tensors = Object.fromEntries(uploaded) as Record<Role, Tensor>;
  const results = computed(engine, drawn, tensors);
  const found = await Promise.all(results.map(async (tensor) => await tensor.data()));
  for (const tensor of [...results, ...Object.values(tensors)]) tensor.dispose();
  return expected(drawn).flatMap((wanted, i) => {
    const mismatch = exactMismatch(found[i], wanted);
    const pass = ["forward", "input gradient", "weight gradient", "bias gradient"][i];
    return mismatch === undefined ? [] : [failure(seed, `${pass} by ${solver}: ${mismatch}`)];
  });
}

/** One line that says what went wrong and runs it again. */
function failure(seed: number, what: string): string {
  const layer = JSON.stringify(randomLayer(new Random(seed)));
  return `CONV_SEED=${String(seed)} npx vitest run test/properties/space  # ${layer} ${what}`;
}

const seeds = seedsToRun(__CONV_LAYERS__);
for (let start = 0; start < seeds.length; start += LAYERS_A_TEST) {
  const some = seeds.slice(start, start + LAYERS_A_TEST);
  gpuTest(`random layers ${String(some[0])} to ${String(some[some.length - 1])}`, async ({ engine }) => {
    // All at once: devices compile side by side.
    const checks = some.map(async (seed) => {
      // A call that throws is a failure of its layer too.
      return await check(engine, seed).catch((error: unknown) => [failure(seed, String(error))]);
    });
    const failures = (await Promise.all(checks)).flat();
    expect(failures.join("\n")).toBe("");
  });
}
