/** Hyperparameters bounded by sizes: the same taps read the same inputs, and no step is longer than it need be. */
import { describe, expect, test } from "vitest";
import { makeProblem } from "webgpu-conv/reference";
import { type Axis, boundAxis, bounded, reachRefusal } from "../../src/problem/bounded.js";
import { Random } from "../support/data.js";

const LARGEST = 2 ** 31 - 1;
const STEPS = [1, 2, 3, 4, 5, 7, 8, 12, 100, 1000, 3000, 1e6, 2 ** 30, 2 ** 30 + 1, LARGEST];

/** Where each tap of each output lies: before the input, beyond it, or on which of its elements. */
function readsOf({ input, output, kernel, stride, dilation, padBegin }: Axis): (number | string)[] {
  const all: (number | string)[] = [];
  for (let o = 0; o < output; o++) {
    for (let k = 0; k < kernel; k++) {
      const at = o * stride + k * dilation - padBegin;
      all.push(at < 0 ? "before" : at >= input ? "beyond" : at);
    }
  }
  return all;
}

/** An axis of few outputs and taps, whatever its steps: the padding is what they take. */
function randomAxis(random: Random): Axis {
  const [input, output, kernel] = [random.integer(1, 9), random.integer(1, 6), random.integer(1, 4)];
  const [stride, dilation] = [random.pick(STEPS), random.pick(STEPS)];
  // Beginning where some tap of some output reads the input, or nearly.
  const read = random.integer(0, output - 1) * stride + random.integer(0, kernel - 1) * dilation;
  return { input, output, kernel, stride, dilation, padBegin: read - random.integer(-3, input + 3) };
}

test("every tap of every output reads what it read", () => {
  const random = new Random(1);
  let shortened = 0;
  for (let i = 0; i < 20_000; i++) {
    const axis = randomAxis(random);
    const short = boundAxis(axis);
    expect(readsOf(short), JSON.stringify([axis, short])).toEqual(readsOf(axis));
    expect(short.stride).toBeGreaterThanOrEqual(1);
    expect(short.dilation).toBeGreaterThanOrEqual(1);
    expect(short.stride).toBeLessThanOrEqual(axis.stride);
    expect(short.dilation).toBeLessThanOrEqual(axis.dilation);
    expect(boundAxis(short)).toEqual(short);
    if (short.stride < axis.stride || short.dilation < axis.dilation) shortened++;
  }
  expect(shortened).toBeGreaterThan(10_000);
});

describe("steps of which no two read the input", () => {
  const base = { input: 8, output: 3, kernel: 1, stride: 1, dilation: 1, padBegin: 0 };

  test.each([
    ["a stride of 3,000", { stride: 3000, padBegin: 3004 }, { stride: 9, padBegin: 10 }],
    ["the largest stride", { stride: LARGEST, padBegin: LARGEST }, { stride: 9, padBegin: 9 }],
    ["one before and one beyond", { output: 2, stride: 1e6, padBegin: 5e5 }, { stride: 9, padBegin: 1 }],
    ["the largest dilation of one tap", { dilation: LARGEST }, {}],
    ["a stride of one output", { output: 1, stride: LARGEST }, { stride: 9 }],
    ["a dilation", { output: 1, kernel: 3, dilation: 1e6, padBegin: 1e6 - 2 }, { dilation: 9, padBegin: 7 }],
    [
      "stride and dilation alike",
      { output: 2, kernel: 2, stride: 2 ** 30, dilation: 2 ** 30, padBegin: 2 ** 30 - 3 },
      { output: 2, kernel: 2, stride: 9, dilation: 9, padBegin: 6 },
    ],
  ])("%s", (_, given, expected) => {
    expect(boundAxis({ ...base, ...given })).toEqual({ ...base, ...given, dilation: 1, ...expected });
  });
});

describe("problems", () => {
  test("whose steps are short stay what they are", () => {
    const problem = makeProblem(2, [1, 3, 224, 224], [64, 3, 7, 7], { stride: 2, padding: 3 });
    expect(bounded(problem)).toBe(problem);
    expect(reachRefusal(problem)).toBeUndefined();
  });

  test.each(["zeros", "replicate"] as const)("with paddingMode %s keep the output's size", (paddingMode) => {
    const options = { stride: 2 ** 30, padding: LARGEST, paddingMode } as const;
    const problem = makeProblem(2, [1, 1, 8, 5], [1, 1, 1, 3], options);
    const { stride, padBegin, padEnd, input, kernel, dilation, output } = bounded(problem);
    expect(Math.max(...stride, ...padBegin, ...padEnd)).toBeLessThan(100);
    for (const axis of [1, 2]) {
      const room = input[axis] + padBegin[axis] + padEnd[axis] - (kernel[axis] - 1) * dilation[axis] - 1;
      expect(Math.floor(room / stride[axis]) + 1).toBe(output[axis]);
    }
    expect(reachRefusal(problem)).toBeUndefined();
  });

  test("that reach beyond 32 bits however they are put are refused, with the values", () => {
    const options = { stride: 1000, padding: LARGEST };
    expect(reachRefusal(makeProblem(1, [1, 1, 1_000_000], [1, 1, 2], options))).toMatch(
      /^stride 1000, dilation 1 and padding \[2147483647, 2147483647\] reach too far along width/,
    );
  });
});
