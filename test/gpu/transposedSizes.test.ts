/** Sizes of transposed convolutions: PyTorch's outputPadding, and "same" as TensorFlow and Keras have it, against plain sums. */
import { ArgumentError, createEngine, type Engine, type TransposedForwardOptions } from "webgpu-conv";
import { inputGradient, makeTransposedProblem } from "webgpu-conv/reference";
import { describe, expect, test } from "vitest";
import { product } from "../../src/problem/geometry.js";
import { badCall, testRefusals } from "../support/badCall.js";
import { Random, smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";

/** Along one axis: what the result has, and how many positions are cut off before it. */
interface Axis {
  readonly size: number;
  readonly cut: number;
  readonly stride: number;
  readonly dilation: number;
}

type Values = readonly number[] | Float32Array;

/** Calls `use` with every product `x[i, j] * w[k, l]` of two planes, and the result position that it goes to, if there is one. */
function forEachProduct(
  [height, width]: readonly number[],
  [kh, kw]: readonly number[],
  [rows, columns]: readonly [Axis, Axis],
  use: (x: number, w: number, y: number) => void,
): void {
  const place = ({ size, cut, stride, dilation }: Axis, at: number, tap: number): number => {
    const position = at * stride + tap * dilation - cut;
    return position >= 0 && position < size ? position : -1;
  };
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++)
      for (let k = 0; k < kh; k++)
        for (let l = 0; l < kw; l++) {
          const [row, column] = [place(rows, i, k), place(columns, j, l)];
          if (row >= 0 && column >= 0) use(i * width + j, k * kw + l, row * columns.size + column);
        }
}

interface Case {
  readonly input: readonly [height: number, width: number];
  readonly kernel: readonly [height: number, width: number];
  readonly options: TransposedForwardOptions;
  readonly axes: readonly [Axis, Axis];
  /** Run by the general solvers, too: here the convolution behind it crops. */
  readonly bySolvers?: boolean;
}

const axis = (size: number, cut: number, stride: number, dilation: number): Axis => ({ size, cut, stride, dilation });

const CASES: Readonly<Record<string, Case>> = {
  // Sizes by PyTorch's formula, (in - 1) * S - 2 * P + D * (F - 1) + outputPadding + 1.
  "outputPadding below the dilation, at stride 1": {
    input: [4, 3],
    kernel: [3, 2],
    options: { dilation: [3, 2], outputPadding: [2, 1] },
    axes: [axis(12, 0, 1, 3), axis(6, 0, 1, 2)],
  },
  "outputPadding of several strides, within what padding cut off": {
    input: [5, 4],
    kernel: [2, 3],
    options: { stride: [1, 2], dilation: [4, 5], padding: [2, 4], outputPadding: [3, 4] },
    axes: [axis(8, 2, 1, 4), axis(13, 4, 2, 5)],
    bySolvers: true,
  },
  "outputPadding beyond what padding cut off": {
    input: [3, 3],
    kernel: [2, 2],
    options: { stride: 2, dilation: 6, padding: 1, outputPadding: 5 },
    axes: [axis(14, 1, 2, 6), axis(14, 1, 2, 6)],
    bySolvers: true,
  },
  "outputPadding after padding that cut off everything": {
    input: [2, 3],
    kernel: [1, 2],
    options: { dilation: [9, 4], padding: [4, 0], outputPadding: [8, 3] },
    axes: [axis(2, 4, 1, 9), axis(10, 0, 1, 4)],
  },
  "outputSize below the dilation": {
    input: [4, 4],
    kernel: [3, 3],
    options: { dilation: 4, padding: 1, outputSize: [13, 10] },
    axes: [axis(13, 1, 1, 4), axis(10, 1, 1, 4)],
  },
  "outputPadding below the stride": {
    input: [4, 3],
    kernel: [3, 3],
    options: { stride: 3, padding: 1, outputPadding: [2, 1] },
    axes: [axis(12, 1, 3, 1), axis(8, 1, 3, 1)],
  },
  // TensorFlow's: max(0, (in - 1) * S + D * (F - 1) + 1 - size) cut off in all, the odd one at the end.
  '"same"': {
    input: [3, 4],
    kernel: [3, 4],
    options: { stride: [2, 1], padding: "same" },
    axes: [axis(6, 0, 2, 1), axis(4, 1, 1, 1)],
  },
  '"same", filters smaller than the stride': {
    input: [3, 2],
    kernel: [1, 2],
    options: { stride: [2, 4], padding: "same" },
    axes: [axis(6, 0, 2, 1), axis(8, 0, 4, 1)],
  },
  '"same", dilated': {
    input: [4, 4],
    kernel: [3, 2],
    options: { stride: [2, 1], dilation: [2, 3], padding: "same", outputPadding: 0 },
    axes: [axis(8, 1, 2, 2), axis(4, 1, 1, 3)],
  },
  '"same" with outputSize': {
    input: [3, 3],
    kernel: [5, 3],
    options: { stride: [3, 2], padding: "same", outputSize: [7, 5] },
    axes: [axis(7, 2, 3, 1), axis(5, 1, 2, 1)],
  },
  '"same-lower"': {
    input: [3, 4],
    kernel: [3, 4],
    options: { stride: [2, 1], padding: "same-lower" },
    axes: [axis(6, 1, 2, 1), axis(4, 2, 1, 1)],
  },
  '"same-lower" with outputSize': {
    input: [3, 3],
    kernel: [4, 6],
    options: { stride: [3, 2], padding: "same-lower", outputSize: [7, 6] },
    axes: [axis(7, 2, 3, 1), axis(6, 2, 2, 1)],
  },
};

const SOLVERS = ["direct", "register-tile", "implicit-gemm"];

/** Forward pass and gradients of one channel to another: several would not change the sizes. */
async function results(engine: Engine, { input, kernel, options }: Case, values: Record<"x" | "w" | "dy", Values>) {
  const [xShape, wShape] = [
    [1, 1, ...input],
    [1, 1, ...kernel],
  ];
  using x = engine.tensor(values.x, xShape);
  using w = engine.tensor(values.w, wShape);
  using y = engine.convTranspose2d(x, w, options);
  using dy = engine.tensor(values.dy, y.shape);
  using dx = engine.convTranspose2dInputGradient(dy, w, xShape, options);
  using dw = engine.convTranspose2dWeightGradient(dy, x, wShape, options);
  return { shape: y.shape, y: await y.data(), dx: await dx.data(), dw: await dw.data() };
}

describe("transposed convolutions end where they should", () => {
  for (const [name, tested] of Object.entries(CASES)) {
    gpuTest(name, async ({ engine }) => {
      const { input, kernel, options, axes } = tested;
      const size = axes.map((one) => one.size);
      const random = new Random(18);
      const [x, w, dy] = [input, kernel, size].map((extents) => smallIntegers(random, product(extents)));
      const expected = {
        shape: [1, 1, ...size],
        y: new Float32Array(dy.length),
        dx: new Float32Array(x.length),
        dw: new Float32Array(w.length),
      };
      forEachProduct(input, kernel, axes, (at, tap, to) => {
        expected.y[to] += x[at] * w[tap];
        expected.dx[at] += dy[to] * w[tap];
        expected.dw[tap] += dy[to] * x[at];
      });
      using cpu = await createEngine({ backend: "cpu" });
      expect(await results(cpu, tested, { x, w, dy })).toEqual(expected);
      expect(await results(engine, tested, { x, w, dy })).toEqual(expected);
      for (const solver of tested.bySolvers ? SOLVERS : []) {
        const withSolver = { ...tested, options: { ...options, solver } };
        expect(await results(engine, withSolver, { x, w, dy }), solver).toEqual(expected);
      }
      const problem = makeTransposedProblem(2, [1, 1, ...input], [1, 1, ...kernel], options);
      expect(Float32Array.from(inputGradient(problem, x, w))).toEqual(expected.y);
    });
  }
});

describe("by hand, in one dimension", () => {
  // Uncut: 1 10 102 20 203 30 300.
  const [X, W] = [
    [1, 2, 3],
    [1, 10, 100],
  ];
  const BY_HAND: readonly (readonly [TransposedForwardOptions, readonly number[]])[] = [
    [{ padding: "same" }, [1, 10, 102, 20, 203, 30]],
    [{ padding: "same-lower" }, [10, 102, 20, 203, 30, 300]],
    [{ padding: "same", outputSize: [5] }, [10, 102, 20, 203, 30]],
    [{ padding: 1, outputSize: [6] }, [10, 102, 20, 203, 30, 300]],
    [{ padding: 0, outputPadding: 1 }, [1, 10, 102, 20, 203, 30, 300, 0]],
  ];
  for (const [options, expected] of BY_HAND) {
    test(JSON.stringify(options), async () => {
      using engine = await createEngine({ backend: "cpu" });
      using x = engine.tensor(X, [1, 1, 3]);
      using w = engine.tensor(W, [1, 1, 3]);
      using y = engine.convTranspose1d(x, w, { stride: 2, ...options });
      expect(Array.from(await y.data())).toEqual(expected);
    });
  }
});

const badTransposed = (name: string, options: TransposedForwardOptions, ...says: RegExp[]) =>
  badCall(name, ArgumentError, says, (engine, { dy, w }) => engine.convTranspose2d(dy, w, options));

// dy [1, 6, 3, 3], w [6, 4, 3, 3]
testRefusals({
  "sizes that there are not": [
    badTransposed("outputPadding of a stride", { stride: 2, outputPadding: 2 }, /\[2, 2\]; .*less than.*\[2, 2\]/),
    badTransposed("and of a dilation", { stride: 2, dilation: [1, 3], outputPadding: [1, 3] }, /\[1, 3\]; .*\[2, 3\]/),
    badTransposed("outputSize too large", { dilation: 2, outputSize: [9, 7] }, /\[9, 7\]; .*7 to 8 by 7 to 8/),
    badTransposed("both", { outputPadding: 0, outputSize: [5, 5] }, /are both given/),
    badTransposed('"same" with outputPadding', { padding: "same", stride: 2, outputPadding: 1 }, /outputSize/),
    badTransposed('too large for "same"', { padding: "same", stride: 2, outputSize: [7, 6] }, /5 to 6 by 5 to 6/),
    badTransposed('too small for "same"', { padding: "same", stride: 2, outputSize: [4, 6] }, /5 to 6 by 5 to 6/),
  ],
});
