/** NaN, infinities and the largest numbers through every activation, alone and fused into every solver. */
import type { DType } from "webgpu-conv";
import { type ConvProblem, makeProblem, maskByOutput } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { createEngine } from "test-engine";
import { readActivation } from "../../src/problem/activation.js";
import { activate } from "../../src/problem/activationFormulas.js";
import { plainOperation } from "../../src/calls/calls.js";
import type { Capabilities } from "../../src/planning/capabilities.js";
import { type ConvOperation, type Direction } from "../../src/problem/operation.js";
import { isRefusal } from "../../src/planning/solver.js";
import { FORMULAS } from "../support/activations.js";
import { type Candidate, defaultsOf } from "../support/candidates.js";
import { smallIntegers } from "../support/data.js";
import { type GpuFixtures, gpuTest } from "../support/gpuTest.js";
import { roundToHalf } from "../support/half.js";
import { makeValues, type RoleValues } from "../support/operations.js";

/** NaN with its sign set, which is what an x86 processor makes of 0 * Infinity. */
const NEGATIVE_NAN = new Float32Array(new Uint32Array([0xffc00000]).buffer)[0];
const POWERS = [
  1e-37,
  2 ** -24,
  2 ** -14,
  1e-3,
  0.5,
  1,
  2.5,
  3,
  5.75,
  6,
  9,
  88,
  200,
  65_504,
  65_520,
  1e19,
  1e38,
  3.4e38,
];
const VALUES = Float32Array.of(NaN, NEGATIVE_NAN, Infinity, -Infinity, 0, -0, ...POWERS, ...POWERS.map((x) => -x));

/** What differs: kind of number for kind, and numbers by more than float32 formulas and one rounding to the dtype may. */
function difference(actual: ArrayLike<number>, expected: ArrayLike<number>, dtype: DType): string[] {
  return Array.from(expected).flatMap((value, i) => {
    const wanted = dtype === "float16" ? roundToHalf(value) : Math.fround(value);
    const found = actual[i];
    const unit = dtype === "float16" ? 2 ** -10 : 2 ** -20;
    // gelu's distribution is right to 1.5e-7; an output that a derivative is taken from was rounded to its dtype.
    const bound = unit * Math.abs(wanted) + (dtype === "float16" ? 2 ** -11 : 1e-6);
    const same = Object.is(found, wanted) || Math.abs(found - wanted) <= bound;
    return same ? [] : [`${String(i)}: ${String(found)}; expected ${String(wanted)}`];
  });
}

describe.each(["float32", "float16"] as const)("alone, in %s", (dtype) => {
  const values = dtype === "float16" ? VALUES.map(roundToHalf) : VALUES;
  for (const { name, activation, value, slope, from } of FORMULAS) {
    gpuTest(`${name}, on the device and on the CPU`, async ({ engine }) => {
      const results = Array.from(values, value);
      // Each dy is multiplied with each derivative: NaN in either is NaN, and 0 times infinity is.
      const dys = [NaN, NEGATIVE_NAN, Infinity, 1, 0];
      using cpu = await createEngine({ backend: "cpu" });
      for (const on of [engine, cpu]) {
        using x = on.tensor(values, [values.length], { dtype });
        using y = on.activate(x, activation);
        expect(difference(await y.data(), results, dtype)).toEqual([]);
        for (const factor of dys) {
          using dy = on.tensor(new Float32Array(values.length).fill(factor), x.shape, { dtype });
          using dx = on.activationGradient(dy, { activation, [from]: from === "output" ? y : x });
          const found = await dx.data();
          // Near enough to its limit an output is stored as the limit, with a derivative of 0.
          const judged = Array.from(values, (x) => Number.isFinite(factor) || slope(x) === 0 || !(slope(x) < 1e-3));
          const wanted = Array.from(values, (x, i) => (judged[i] ? factor * slope(x) : found[i]));
          expect(difference(found, wanted, dtype)).toEqual([]);
        }
      }
    });
  }
});

gpuTest("float16 results round to infinity from 65,520 on, before and after an activation", async ({ engine }) => {
  using cpu = await createEngine({ backend: "cpu" });
  for (const on of [engine, cpu]) {
    using x = on.tensor([65_504, -65_504, 65_504, 2], [4, 1, 1, 1], { dtype: "float16" });
    using one = on.tensor([1], [1, 1, 1, 1], { dtype: "float16" });
    // 65,488 lies between two numbers, and goes to the even one.
    for (const [bias, sums] of [
      [15, [65_504, -65_504, 65_504, 17]],
      [16, [Infinity, -65_472, Infinity, 18]],
      [-16, [65_472, -Infinity, 65_472, -14]],
    ] as const) {
      using added = on.tensor([bias], [1], { dtype: "float16" });
      for (const activation of ["none", "relu"] as const) {
        using y = on.conv2d(x, one, { bias: added, activation });
        const wanted = sums.map((sum) => (activation === "relu" ? Math.max(sum, 0) : sum));
        expect([...(await y.data())]).toEqual(wanted);
      }
    }
  }
});

/** Layers that all solvers take between them, and what is fused into each. */
const LAYERS: readonly Layer[] = [
  {
    problem: makeProblem(2, [1, 4, 6, 8], [4, 4, 3, 3], { padding: 1 }),
    activated: [["forward", "relu"]],
    masked: ["inputGradient", "weightGradient", "biasGradient"],
  },
  {
    problem: makeProblem(2, [1, 4, 6, 8], [4, 1, 3, 3], { padding: 1, groups: 4 }),
    // A transposed convolution is an input gradient with an activation.
    activated: [
      ["forward", "hard-swish"],
      ["inputGradient", "relu6"],
    ],
    masked: ["inputGradient", "weightGradient"],
  },
  {
    problem: makeProblem(2, [1, 2, 5, 5], [2, 2, 3, 3], { padding: 1, stride: 2, paddingMode: "reflect" }),
    activated: [],
    masked: ["inputGradient"],
    solver: "direct",
  },
];

interface Layer {
  readonly problem: ConvProblem;
  readonly activated: readonly (readonly [Direction, "relu" | "relu6" | "hard-swish"])[];
  readonly masked: readonly Direction[];
  /** The only one to be tried. */
  readonly solver?: string;
}

/** Each solver once, and one once more with its sums split: a second kernel adds and finishes them, whoever summed. */
function waysOf(operation: ConvOperation, capabilities: Capabilities, only?: string): Candidate[] {
  const ways = defaultsOf(operation, capabilities).filter(({ solver }) => only === undefined || solver.name === only);
  return ways.flatMap((way) => {
    const split = { ...way, config: { ...way.config, splitK: 2 } };
    return way.solver.name === "register-tile" && "splitK" in way.solver.knobs ? [way, split] : [way];
  });
}

async function runWay(
  { runner, capabilities }: Omit<GpuFixtures, "engine">,
  { solver, config }: Candidate,
  operation: ConvOperation,
  values: RoleValues,
): Promise<Float32Array> {
  const plan = solver.plan(operation, capabilities, config);
  if (isRefusal(plan)) throw new Error(`${solver.name} refuses: ${plan.refused}`);
  const [result] = await runner.run(operation, plan, values);
  return result;
}

type Values = Float32Array<ArrayBuffer>;

/** The same values with some of them replaced. */
const withSpecials = (values: Values, specials: Readonly<Record<number, number>>): Values =>
  values.map((value, place) => (place in specials ? specials[place] : value));

// Chromium's compiler is Node's, Dawn: once is enough.
describe.skipIf("document" in globalThis).each(LAYERS)(
  "fused into every solver: $problem.weightShape, $problem.paddingMode",
  (layer) => {
    const { problem, solver } = layer;
    const plain = (direction: Direction): ConvOperation => plainOperation(direction, problem, { dtype: "float32" });
    const integers = makeValues(problem, 11, smallIntegers);

    for (const [direction, name] of layer.activated) {
      gpuTest(`${direction}, ${name}: NaN where there is one without`, async ({ runner, capabilities }) => {
        const source = direction === "forward" ? "x" : "y";
        const special = withSpecials(integers[source], {
          3: NaN,
          9: NEGATIVE_NAN,
          30: Infinity,
          47: -Infinity,
          18: 1e38,
        });
        const values = { ...integers, [source]: special };
        const spec = readActivation(name);
        const operation = { ...plain(direction), activation: spec };
        for (const way of waysOf(operation, capabilities, solver)) {
          const sums = await runWay({ runner, capabilities }, way, plain(direction), values);
          const found = await runWay({ runner, capabilities }, way, operation, values);
          expect(sums.some(Number.isNaN)).toBe(true);
          const wanted = Array.from(sums, (sum) => activate(sum, spec));
          expect({ way, difference: difference(found, wanted, "float32") }).toEqual({ way, difference: [] });
        }
      });
    }

    for (const direction of layer.masked) {
      gpuTest(
        `${direction}: a relu's mask lets NaN through, of dy and of the output`,
        async ({ runner, capabilities }) => {
          const output = withSpecials(integers.activated, { 0: NaN, 5: NEGATIVE_NAN, 7: 0, 8: -0, 9: 2, 10: Infinity });
          const dy = withSpecials(integers.y, { 7: NaN, 9: NEGATIVE_NAN });
          const before = Float32Array.from(maskByOutput(dy, output));
          expect([0, 5, 7, 9].every((place) => Number.isNaN(before[place]))).toBe(true);
          const operation = { ...plain(direction), masked: true };
          for (const way of waysOf(operation, capabilities, solver)) {
            const found = await runWay({ runner, capabilities }, way, operation, {
              ...integers,
              y: dy,
              activated: output,
            });
            const wanted = await runWay({ runner, capabilities }, way, plain(direction), { ...integers, y: before });
            expect(wanted.some(Number.isNaN)).toBe(true);
            expect({ way, difference: difference(found, wanted, "float32") }).toEqual({ way, difference: [] });
          }
        },
      );
    }
  },
);
