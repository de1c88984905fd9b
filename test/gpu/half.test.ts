/** float16 on reals: every solver that takes any layer, every pass, within the bound derived for float32 sums. */
import type { Engine, Tensor } from "webgpu-conv";
import {
  type ConvProblem,
  errorBound,
  makeProblem,
  makeTransposedProblem,
  type PassDirection,
  type PassOperands,
  referencePass,
} from "webgpu-conv/reference";
import { describe, expect, test } from "vitest";
import { product } from "../../src/problem/geometry.js";
import { Random } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { halfBound, halfReals, roundToHalf } from "../support/half.js";
import { boundMismatch } from "../support/mismatch.js";
import type { RandomLayer } from "../support/randomSpace.js";

const SOLVERS = ["direct", "register-tile", "implicit-gemm"];
const SEED = 16;

type Layer = Omit<RandomLayer, "dtype">;
const layer = (
  rank: Layer["rank"],
  input: Layer["input"],
  weight: Layer["weight"],
  options: Layer["options"] = {},
  transposed = false,
): Layer => ({ rank, transposed, input, weight, options });

/** Odd sizes: rows end within a word of two halves. */
const LAYERS: Readonly<Record<string, Layer>> = {
  "1x1": layer(2, [2, 13, 7, 9], [17, 13, 1, 1]),
  "3x3, 1,152 terms": layer(2, [1, 128, 5, 7], [9, 128, 3, 3], { padding: 1 }),
  "first layer": layer(2, [1, 3, 19, 15], [7, 3, 7, 7], { stride: 2, padding: 3 }),
  "strided and dilated, grouped, padding unlike": layer(2, [2, 6, 11, 9], [10, 3, 3, 2], {
    groups: 2,
    stride: [2, 1],
    dilation: [1, 2],
    padding: [
      [2, 0],
      [1, 3],
    ],
  }),
  "depthwise, channels last, reflect": layer(2, [1, 9, 7, 5], [3, 3, 1, 5], {
    groups: 5,
    padding: 1,
    paddingMode: "reflect",
    layout: "channels-last",
    weightLayout: "HWIO",
  }),
  "1D, circular": layer(1, [3, 5, 31], [7, 5, 5], { padding: 2, paddingMode: "circular" }),
  "3D": layer(3, [1, 3, 5, 5, 7], [5, 3, 3, 3, 3], { padding: 1, stride: [1, 2, 1] }),
  transposed: layer(2, [2, 7, 5, 5], [7, 3, 3, 3], { stride: 2, padding: 1, outputPadding: 1 }, true),
  "transposed 1D, grouped": layer(1, [1, 6, 9], [6, 5, 4], { stride: 3, groups: 2 }, true),
};

/** Values by what the caller calls them; `dy` is shaped as the result. */
type Role = "x" | "w" | "dy" | "bias" | "residual";

interface Pass {
  readonly name: string;
  /** The pass of the problem, and its operands there. */
  readonly direction: PassDirection;
  readonly operands: PassOperands;
  readonly run: (engine: Engine, tensors: Readonly<Record<Role, Tensor>>, solver: string) => Tensor;
}

/** In the convolution behind a transposed one, x and dy change places. */
function passesOf({ rank, transposed, input, weight, options }: Layer, values: Record<Role, Float32Array>): Pass[] {
  const { x, w, dy, bias, residual } = values;
  const name = transposed ? (`convTranspose${rank}d` as const) : (`conv${rank}d` as const);
  const [toInput, toOutput] = transposed
    ? (["forward", "inputGradient"] as const)
    : (["inputGradient", "forward"] as const);
  const asRead = (values: Float32Array): PassOperands => (transposed ? { x: values } : { dy: values });
  return [
    {
      name,
      direction: toOutput,
      operands: { w, bias, residual, ...(transposed ? { dy: x } : { x }) },
      run: (engine, tensors, solver) => {
        const { bias, residual } = tensors;
        return engine[name](tensors.x, tensors.w, { ...options, solver, bias, residual });
      },
    },
    {
      name: `${name}InputGradient`,
      direction: toInput,
      operands: { w, ...asRead(dy) },
      run: (engine, tensors, solver) =>
        engine[`${name}InputGradient`](tensors.dy, tensors.w, input, { ...options, solver }),
    },
    {
      name: `${name}WeightGradient`,
      direction: "weightGradient",
      operands: transposed ? { x: dy, dy: x } : { x, dy },
      run: (engine, tensors, solver) =>
        engine[`${name}WeightGradient`](tensors.dy, tensors.x, weight, { ...options, solver }),
    },
  ];
}

function shapesOf({ transposed, input, weight }: Layer, problem: ConvProblem): Record<Role, readonly number[]> {
  const result = transposed ? problem.inputShape : problem.outputShape;
  const channels = transposed ? problem.inChannels : problem.outChannels;
  return { x: input, w: weight, dy: result, bias: [channels], residual: result };
}

const mapRoles = <T>(
  roles: Record<Role, readonly number[]>,
  of: (shape: readonly number[], role: Role) => T,
): Record<Role, T> =>
  Object.fromEntries(Object.entries(roles).map(([role, shape]) => [role, of(shape, role as Role)])) as Record<Role, T>;

describe("float16, every general solver is within the bound on reals", () => {
  for (const [name, tested] of Object.entries(LAYERS)) {
    gpuTest(name, async ({ engine }) => {
      const { rank, transposed, input, weight, options } = tested;
      const problem = (transposed ? makeTransposedProblem : makeProblem)(rank, input, weight, options);
      const shapes = shapesOf(tested, problem);
      const random = new Random(SEED);
      const values = mapRoles(shapes, (shape) => halfReals(random, product(shape)));
      const tensors = mapRoles(shapes, (shape, role) => engine.tensor(values[role], shape, { dtype: "float16" }));
      const found = passesOf(tested, values).flatMap(({ name: pass, direction, operands, run }) => {
        const expected = referencePass(problem, direction, operands);
        const bound = halfBound(expected, errorBound(problem, direction, operands));
        return SOLVERS.map(async (solver) => {
          using result = run(engine, tensors, solver);
          expect(result.dtype).toBe("float16");
          const mismatch = boundMismatch(await result.data(), expected, bound);
          return mismatch === undefined ? [] : [`${pass} by ${solver}: ${mismatch}`];
        });
      });
      const mismatches = (await Promise.all(found)).flat();
      for (const tensor of Object.values(tensors)) tensor.dispose();
      expect(mismatches).toEqual([]);
    });
  }
});

/** Zeros, the least and largest numbers below the normal ones, the least and largest normal ones, and what is no number. */
const SPECIAL = [
  0,
  -0,
  2 ** -24,
  -(2 ** -24),
  2 ** -14 - 2 ** -24,
  2 ** -14,
  65_504,
  -65_504,
  Infinity,
  -Infinity,
  NaN,
];

describe("float16 that is special comes through matrix products as it is", () => {
  // An odd number of them: the last one shares no word.
  const values = Float32Array.from({ length: 11 * 5 }, (_, i) => SPECIAL[(i * 7) % SPECIAL.length]);
  const expectSame = (found: Float32Array, wanted: (i: number) => number): void => {
    found.forEach((value, i) => {
      const small = Math.abs(wanted(i)) < 2 ** -14;
      // Devices may take numbers below the normal ones for zero. A sum of 0 and -0 is 0.
      const same = Object.is(value, wanted(i) + 0) || (small && value === 0);
      expect(same, `element ${String(i)}: ${String(value)}; expected ${String(wanted(i))}`).toBe(true);
    });
  };
  const half = { dtype: "float16" } as const;
  const ones = new Float32Array(9).fill(1);

  for (const solver of ["tap-gemm", "implicit-gemm"]) {
    gpuTest(`forward by ${solver}`, async ({ engine }) => {
      using x = engine.tensor(values, [1, 1, 5, 11], half);
      using w = engine.tensor(ones, [9, 1, 1, 1], half);
      using y = engine.conv2d(x, w, { solver });
      expectSame(await y.data(), (i) => values[i % values.length]);
    });
  }

  gpuTest("weight gradient by implicit-gemm", async ({ engine }) => {
    using x = engine.tensor(values, [1, 55, 1, 1], half);
    using dy = engine.tensor(ones, [1, 9, 1, 1], half);
    using dw = engine.conv2dWeightGradient(dy, x, [9, 55, 1, 1], { solver: "implicit-gemm" });
    expectSame(await dw.data(), (i) => values[i % values.length]);
  });

  gpuTest("residuals, and results too large", async ({ engine }) => {
    // In vectors of four, and not.
    for (const width of [4, 5]) {
      const size = 8 * 4 * width;
      const added = Float32Array.from({ length: size }, (_, i) => SPECIAL[(i * 3) % SPECIAL.length]);
      using x = engine.tensor(new Float32Array(8 * 4 * width), [1, 8, 4, width], half);
      using w = engine.tensor(new Float32Array(64), [8, 8, 1, 1], half);
      using bias = engine.tensor(new Float32Array(8).fill(32), [8], half);
      using residual = engine.tensor(added, [1, 8, 4, width], half);
      using y = engine.conv2d(x, w, { solver: "tap-gemm", bias, residual });
      const wanted = added.map((value) => roundToHalf(value + 32));
      expectSame(await y.data(), (i) => wanted[i]);
    }
  });
});

describe("the bound", () => {
  test("is half a unit in the last place where the sum is exact, and no result has a larger error", () => {
    const exact = Float64Array.of(1, 1.5, -2047, 0.1, 3e-5);
    const bound = halfBound(exact, new Float64Array(exact.length));
    expect([...bound]).toEqual([2 ** -11, 2 ** -11, 0.5, 2 ** -15, 3e-5]);
    exact.forEach((value, i) => expect(Math.abs(roundToHalf(value) - value)).toBeLessThanOrEqual(bound[i]));
  });
});
