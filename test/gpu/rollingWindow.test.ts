/**
 * Rolling windows. Input gradients with a stride: each phase has taps, padding and ends of lines of its own. Weight gradients of
 * parts of a filter, and in sums of several blocks.
 */
import type { ConvOptions } from "webgpu-conv";
import { inputGradient, makeProblem, weightGradient } from "webgpu-conv/reference";
import { describe, expect } from "vitest";
import { product } from "../../src/problem/geometry.js";
import { Random, smallIntegers } from "../support/data.js";
import { gpuTest } from "../support/gpuTest.js";
import { exactMismatch } from "../support/mismatch.js";

interface Layer {
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions;
}

const depthwise = (
  channels: number,
  size: readonly number[],
  kernel: readonly number[],
  options: ConvOptions,
): Layer => ({
  input: [2, channels, ...size],
  weight: [channels, 1, ...kernel],
  options: { groups: channels, ...options },
});

const LAYERS: Readonly<Record<string, Layer>> = {
  "3x3, stride 2, even": depthwise(5, [12, 12], [3, 3], { stride: 2, padding: 1 }),
  "3x3, stride 2, odd": depthwise(3, [13, 11], [3, 3], { stride: 2, padding: 1 }),
  "what is left over at the ends": depthwise(2, [14, 16], [3, 3], { stride: [3, 4] }),
  "4x4, stride 2, of an upsampling": depthwise(4, [10, 14], [4, 4], { stride: 2, padding: 1 }),
  "5x7, strides unlike": depthwise(3, [17, 19], [5, 7], { stride: [2, 3], padding: [2, 3] }),
  "a stride along one axis": depthwise(3, [9, 17], [3, 5], { stride: [1, 2], padding: 1 }),
  "padding unlike, and cropped": depthwise(3, [13, 15], [3, 3], {
    stride: 2,
    padding: [
      [-1, 2],
      [2, -2],
    ],
  }),
  "padding beyond the filter": depthwise(2, [7, 7], [3, 3], { stride: 2, padding: 4 }),
  "a source smaller than the stride": depthwise(2, [3, 3], [3, 3], { stride: 3 }),
  "groups of 2 to 3 channels": {
    input: [1, 6, 11, 12],
    weight: [6, 3, 3, 3],
    options: { stride: 2, groups: 2, padding: 1 },
  },
  "one dimension": { input: [2, 4, 23], weight: [4, 1, 5], options: { stride: 2, groups: 4, padding: 2 } },
  "channels last": {
    input: [1, 11, 10, 4],
    weight: [4, 1, 3, 3],
    options: { stride: 2, groups: 4, padding: 1, layout: "channels-last" },
  },
  reflected: depthwise(3, [9, 10], [3, 3], { stride: 2, padding: 1, paddingMode: "reflect" }),
};

describe("an input gradient with a stride, by rolling windows, is exact on small integers", () => {
  for (const [name, { input, weight, options }] of Object.entries(LAYERS)) {
    gpuTest(name, async ({ engine }) => {
      const rank = (input.length - 2) as 1 | 2;
      const problem = makeProblem(rank, input, weight, options);
      const random = new Random(11);
      const [dyValues, wValues] = [problem.outputShape, weight].map((shape) => smallIntegers(random, product(shape)));
      const expected = inputGradient(problem, dyValues, wValues);
      using dy = engine.tensor(dyValues, problem.outputShape);
      using w = engine.tensor(wValues, weight);
      for (const [mPerThread, columns, rows] of [
        [1, 2, 64],
        [1, 4, 2],
        [2, 2, 3],
      ]) {
        const how = { ...options, solver: { name: "rolling-window", config: { mPerThread, columns, rows } } };
        const run = rank === 1 ? engine.conv1dInputGradient.bind(engine) : engine.conv2dInputGradient.bind(engine);
        using dx = run(dy, w, input, how);
        expect(exactMismatch(await dx.data(), expected), JSON.stringify({ mPerThread, columns, rows })).toBeUndefined();
      }
    });
  }

  gpuTest("masked by relu, in float16, and as a transposed layer with bias", async ({ engine }) => {
    const [input, weight] = [
      [1, 4, 10, 10],
      [4, 1, 3, 3],
    ];
    const options = { stride: 2, padding: 1, groups: 4 };
    const random = new Random(5);
    const y = smallIntegers(random, 4 * 25);
    const activated = smallIntegers(random, 4 * 25);
    const values = smallIntegers(random, 36);
    const problem = makeProblem(2, input, weight, options);
    const masked = y.map((value, i) => (activated[i] > 0 ? value : 0));
    using dy = engine.tensor(y, problem.outputShape, { dtype: "float16" });
    using output = engine.tensor(activated, problem.outputShape, { dtype: "float16" });
    using w = engine.tensor(values, weight, { dtype: "float16" });
    using bias = engine.tensor([1, 2, 3, 4], [4], { dtype: "float16" });
    const solver = "rolling-window";
    using dx = engine.conv2dInputGradient(dy, w, input, { ...options, activation: "relu", output, solver });
    expect([...(await dx.data())]).toEqual([...inputGradient(problem, masked, values)]);
    using up = engine.convTranspose2d(dy, w, { ...options, outputPadding: 1, bias, solver });
    const plain = inputGradient(problem, y, values);
    expect([...(await up.data())]).toEqual([...plain].map((value, i) => value + 1 + Math.floor(i / 100)));
  });
});

const PARTS: Readonly<Record<string, Layer>> = {
  "7x7": depthwise(3, [12, 13], [7, 7], { padding: 3 }),
  "5x4, strides and dilations unlike": depthwise(2, [19, 23], [5, 4], { stride: [2, 3], dilation: [1, 2], padding: 2 }),
  "5x5, dilated, reflected": depthwise(2, [11, 9], [5, 5], { dilation: 2, padding: 4, paddingMode: "reflect" }),
  "groups of 2 to 3 channels, channels last": {
    input: [2, 9, 10, 4],
    weight: [6, 2, 3, 5],
    options: { padding: 2, groups: 2, layout: "channels-last" },
  },
  "rows of several blocks": depthwise(1, [300, 7], [3, 3], { padding: 1 }),
};

describe("a weight gradient by rolling windows over parts of a filter is exact on small integers", () => {
  for (const [name, { input, weight, options }] of Object.entries(PARTS)) {
    gpuTest(name, async ({ engine }) => {
      const problem = makeProblem(2, input, weight, options);
      const random = new Random(3);
      const [dyValues, xValues] = [problem.outputShape, input].map((shape) => smallIntegers(random, product(shape)));
      const expected = weightGradient(problem, dyValues, xValues);
      using dy = engine.tensor(dyValues, problem.outputShape);
      using x = engine.tensor(xValues, input);
      for (const [mPerThread, columns, filterRows, filterColumns] of [
        [1, 4, 2, 3],
        [2, 2, 1, 4],
        [1, 8, 3, 1],
      ]) {
        const config = { mPerThread, columns, filterRows, filterColumns };
        using dw = engine.conv2dWeightGradient(dy, x, weight, {
          ...options,
          solver: { name: "rolling-window", config },
        });
        expect(exactMismatch(await dw.data(), expected), JSON.stringify(config)).toBeUndefined();
      }
    });
  }
});
