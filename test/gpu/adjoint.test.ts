/** What ties the directions together, whatever the reference says: adjoints, linearity, shift. */
import type { ConvOptions, Engine, Tensor } from "webgpu-conv";
import {
  type ConvProblem,
  errorBound,
  makeProblem,
  makeTransposedProblem,
  type PassOperands,
  winogradErrorBound,
} from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { product } from "../../src/problem/geometry.js";
import { PADDING_MODES } from "../../src/problem/padding.js";
import { coarseReals, Random, reals, smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { boundMismatch } from "../support/mismatch.js";
import { namedCase } from "../support/cases.js";
import { makeValues } from "../support/operations.js";

type Values = Float32Array<ArrayBuffer>;

/** Sum of products in float64: its own rounding, below n * 2^-53 of sum|products|, is far under float32's. */
function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

const magnitudes = (values: Values): Float64Array => Float64Array.from(values, Math.abs);

/** All three directions on the engine: y, dx and dw. */
async function allDirections(
  engine: Engine,
  problem: ConvProblem,
  options: ConvOptions,
  values: Record<"x" | "w" | "y", Values>,
) {
  using x = engine.tensor(values.x, problem.inputShape);
  using w = engine.tensor(values.w, problem.weightShape);
  using dy = engine.tensor(values.y, problem.outputShape);
  using y = engine.conv2d(x, w, options);
  using dx = engine.conv2dInputGradient(dy, w, problem.inputShape, options);
  using dw = engine.conv2dWeightGradient(dy, x, problem.weightShape, options);
  const [yValues, dxValues, dwValues] = await Promise.all([y.data(), dx.data(), dw.data()]);
  return { y: yValues, dx: dxValues, dw: dwValues };
}

/** The bound of what the engine chooses. */
function boundOf(
  engine: Engine,
  problem: ConvProblem,
  direction: "forward" | "inputGradient",
  options: ConvOptions,
  operands: PassOperands,
): Float64Array {
  const name = direction === "forward" ? "conv2d" : "conv2dInputGradient";
  const shapes = { input: problem.inputShape, weight: problem.weightShape };
  const { solver, config } = engine.explain(name, shapes, options);
  if (solver !== "winograd") return errorBound(problem, direction, operands);
  return winogradErrorBound(problem, direction, operands, config.tile === 2 ? 2 : 4);
}

describe("<dy, y> = <dx, x> = <dw, w>", () => {
  const names = ["first layer, odd", "1x1, odd", "3x3, large", "5x5, odd", "grouped, odd", "dilated, odd"];
  const more = ["depthwise, channel multiplier, odd", "strided, odd", "transposed-like, odd", "3x3, tiny"];
  for (const name of [...names, ...more]) {
    gpuTest(name, async ({ engine }) => {
      const { input, weight, options } = namedCase(name);
      const problem = makeProblem(2, input, weight, options);
      const values = makeValues(problem, 11, reals);
      const { x, w, y: dy } = values;
      const { y, dx, dw } = await allDirections(engine, problem, options, values);
      // |<a, computed> - <a, exact>| <= <|a|, bound of computed>.
      const ofY = dot(magnitudes(dy), boundOf(engine, problem, "forward", options, { x, w }));
      const ofDx = dot(magnitudes(x), boundOf(engine, problem, "inputGradient", options, { dy, w }));
      const ofDw = dot(magnitudes(w), errorBound(problem, "weightGradient", { dy, x }));
      expect(Math.abs(dot(dy, y) - dot(dx, x))).toBeLessThanOrEqual(ofY + ofDx);
      expect(Math.abs(dot(dy, y) - dot(dw, w))).toBeLessThanOrEqual(ofY + ofDw);
      expect(dot(dy, y)).not.toBe(0);
    });
  }
});

describe("<dy, y> = <dx, x> = <dw, w>, exactly, on small integers", () => {
  const integers = (seed: number, shape: readonly number[]): Values => smallIntegers(new Random(seed), product(shape));

  /** Checks both identities of a layer with these passes. */
  async function expectAdjoint(
    engine: Engine,
    shapes: Readonly<Record<"x" | "w" | "y", readonly number[]>>,
    passes: Readonly<Record<"y" | "dx" | "dw", (x: Tensor, w: Tensor, dy: Tensor) => Tensor>>,
  ): Promise<void> {
    const [x, w, dy] = [integers(1, shapes.x), integers(2, shapes.w), integers(3, shapes.y)];
    using input = engine.tensor(x, shapes.x);
    using weight = engine.tensor(w, shapes.w);
    using gradient = engine.tensor(dy, shapes.y);
    using y = passes.y(input, weight, gradient);
    using dx = passes.dx(input, weight, gradient);
    using dw = passes.dw(input, weight, gradient);
    const common = dot(dy, await y.data());
    expect(common).not.toBe(0);
    expect(dot(x, await dx.data()), "<dx, x>").toBe(common);
    expect(dot(w, await dw.data()), "<dw, w>").toBe(common);
  }

  for (const paddingMode of PADDING_MODES) {
    gpuTest(`padding mode ${paddingMode}, strided and dilated, more on one side`, async ({ engine }) => {
      const options: ConvOptions = {
        paddingMode,
        stride: [1, 2],
        dilation: [2, 1],
        padding: [
          [3, 1],
          [2, 4],
        ],
      };
      const [input, weight] = [
        [2, 3, 6, 7],
        [4, 3, 3, 4],
      ];
      const { outputShape } = makeProblem(2, input, weight, options);
      await expectAdjoint(
        engine,
        { x: input, w: weight, y: outputShape },
        {
          y: (x, w) => engine.conv2d(x, w, options),
          dx: (_x, w, dy) => engine.conv2dInputGradient(dy, w, input, options),
          dw: (x, _w, dy) => engine.conv2dWeightGradient(dy, x, weight, options),
        },
      );
    });
  }

  gpuTest("a transposed layer, grouped, with output padding", async ({ engine }) => {
    const options = { stride: 3, padding: 1, outputPadding: 2, groups: 2, dilation: 2 };
    const [input, weight] = [
      [2, 4, 5, 4],
      [4, 3, 3, 2],
    ];
    const { inputShape: output } = makeTransposedProblem(2, input, weight, options);
    await expectAdjoint(
      engine,
      { x: input, w: weight, y: output },
      {
        y: (x, w) => engine.convTranspose2d(x, w, options),
        dx: (_x, w, dy) => engine.convTranspose2dInputGradient(dy, w, input, options),
        dw: (x, _w, dy) => engine.convTranspose2dWeightGradient(dy, x, weight, options),
      },
    );
  });

  gpuTest("a locally connected layer", async ({ engine }) => {
    const options = { padding: 1, stride: 2 };
    const [input, weight] = [
      [2, 3, 5, 6],
      [3, 3, 4, 3, 3, 3],
    ];
    await expectAdjoint(
      engine,
      { x: input, w: weight, y: [2, 4, 3, 3] },
      {
        y: (x, w) => engine.locallyConnected2d(x, w, options),
        dx: (_x, w, dy) => engine.locallyConnected2dInputGradient(dy, w, input, options),
        dw: (x, _w, dy) => engine.locallyConnected2dWeightGradient(dy, x, weight, options),
      },
    );
  });
});

describe("linearity", () => {
  gpuTest("conv(2a + b) = 2 conv(a) + conv(b), in input and in weight", async ({ engine }) => {
    const { input, weight, options } = namedCase("strided, tail");
    const problem = makeProblem(2, input, weight, options);
    const random = new Random(5);
    const [a, b] = [coarseReals(random, product(input)), coarseReals(random, product(input))];
    const [u, v] = [coarseReals(random, product(weight)), coarseReals(random, product(weight))];
    // Exact: 2a + b is a multiple of 2^-10 below 3.
    const combine = (first: Values, second: Values): Values => first.map((value, i) => 2 * value + second[i]);
    const run = async (x: Values, w: Values): Promise<Values> => {
      using xTensor = engine.tensor(x, input);
      using wTensor = engine.tensor(w, weight);
      using y = engine.conv2d(xTensor, wTensor, options);
      return await y.data();
    };
    const bound = (x: Values, w: Values): Float64Array => errorBound(problem, "forward", { x, w });
    const expectSum = async (
      whole: [Values, Values],
      first: [Values, Values],
      second: [Values, Values],
    ): Promise<void> => {
      const [y, y1, y2] = await Promise.all([run(...whole), run(...first), run(...second)]);
      const [e, e1, e2] = [bound(...whole), bound(...first), bound(...second)];
      const expected = Float64Array.from(y1, (value, i) => 2 * value + y2[i]);
      expect(
        boundMismatch(
          y,
          expected,
          e.map((limit, i) => limit + 2 * e1[i] + e2[i]),
        ),
      ).toBeUndefined();
    };
    await expectSum([combine(a, b), u], [a, u], [b, u]);
    await expectSum([a, combine(u, v)], [a, u], [a, v]);
  });
});

/** `values`, `[planes, height, width]`, moved down and right; what enters is zero. */
function shifted(values: Values, [height, width]: readonly [number, number], down: number, right: number): Values {
  return values.map((_, i) => {
    const column = (i % width) - right;
    const row = (Math.floor(i / width) % height) - down;
    const plane = Math.floor(i / (width * height));
    return row >= 0 && column >= 0 ? values[(plane * height + row) * width + column] : 0;
  });
}

describe("shift", () => {
  gpuTest("an input moved by one stride moves the output by one", async ({ engine }) => {
    const [size, stride] = [
      [12, 16],
      [2, 3],
    ] as const;
    const options = { stride, padding: 2, dilation: [1, 2] };
    const problem = makeProblem(2, [2, 3, ...size], [5, 3, 3, 3], options);
    const [, outHeight, outWidth] = problem.output;
    // The last rows and columns are empty, so that nothing leaves the picture.
    const x = reals(new Random(3), product(problem.inputShape)).map((value, i) => {
      const [row, column] = [Math.floor(i / size[1]) % size[0], i % size[1]];
      return row < size[0] - stride[0] && column < size[1] - stride[1] ? value : 0;
    });
    const w = reals(new Random(4), product(problem.weightShape));
    const run = async (input: Values): Promise<Values> => {
      using xTensor = engine.tensor(input, problem.inputShape);
      using wTensor = engine.tensor(w, problem.weightShape);
      using y = engine.conv2d(xTensor, wTensor, options);
      return await y.data();
    };
    const moved = shifted(x, size, ...stride);
    const [y, yMoved] = await Promise.all([run(x), run(moved)]);
    const limit = errorBound(problem, "forward", { x, w });
    const limitMoved = errorBound(problem, "forward", { x: moved, w });
    // The first row and column of the moved output may see what the original's margin cut off: leave them out.
    const inner = (values: ArrayLike<number>, from: number): number[] =>
      Array.from(values).filter((_, i) => {
        const [row, column] = [Math.floor(i / outWidth) % outHeight, i % outWidth];
        return row >= from && row < outHeight - 1 + from && column >= from && column < outWidth - 1 + from;
      });
    const bound = inner(limitMoved, 1).map((value, i) => value + inner(limit, 0)[i]);
    expect(bound.length).toBeGreaterThan(0);
    expect(boundMismatch(inner(yMoved, 1), inner(y, 0), bound)).toBeUndefined();
  });
});
