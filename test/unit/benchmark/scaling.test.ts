import { expect, test } from "vitest";
import { type DeviceSpeed, gpuSeconds, insideShare, referenceSeconds } from "../../../examples/benchmark/costModel.js";
import { type Layer, layerName, LAYERS } from "../../../examples/benchmark/layers.js";
import { fitLayer, scaledName, scaledProblem } from "../../../examples/benchmark/scaling.js";

const SOFTWARE: DeviceSpeed = { software: true, gpuFlops: 1e9, referenceFlops: 4e8 };
const SLOW_GPU: DeviceSpeed = { software: false, gpuFlops: 2e9, referenceFlops: 4e8 };
const FAST_GPU: DeviceSpeed = { software: false, gpuFlops: 1e13, referenceFlops: 4e8 };
const BUDGET = { runs: 7, seconds: 1.3 };
const NO_LIMIT = 2 ** 40;

function named(start: string): Layer {
  const found = LAYERS.find((layer) => layerName(layer).startsWith(start));
  if (!found) throw new Error(`no layer ${start}`);
  return found;
}
const STEM = named("ResNet-50 stem");
const DILATED = named("Atrous pyramid");
const LENET = named("LeNet");

test("on a software device everything that is timed is verified", () => {
  for (const layer of LAYERS) {
    const { timed, verified } = fitLayer(layer, SOFTWARE, BUDGET, NO_LIMIT);
    expect(verified).toEqual(timed);
    expect(timed.extent).toBeLessThanOrEqual(layer.extent);
    expect(timed.batch).toBeLessThanOrEqual(layer.batch);
  }
});

test("a layer's predicted time fits the budget, unless it is as small as it can be", () => {
  for (const layer of LAYERS) {
    const { timed } = fitLayer(layer, SOFTWARE, BUDGET, NO_LIMIT);
    const { timed: smallest } = fitLayer(layer, SOFTWARE, { ...BUDGET, seconds: 0 }, NO_LIMIT);
    const problem = scaledProblem(layer, timed);
    const seconds = BUDGET.runs * gpuSeconds(problem, SOFTWARE) + referenceSeconds(problem, SOFTWARE);
    if (timed.extent > smallest.extent || timed.batch > smallest.batch) {
      expect(seconds).toBeLessThanOrEqual(BUDGET.seconds);
    }
  }
});

test("more time means sizes at least as large", () => {
  for (const layer of LAYERS) {
    const extents = [0.01, 0.1, 1, 10, 1000].map(
      (seconds) => fitLayer(layer, SOFTWARE, { ...BUDGET, seconds }, NO_LIMIT).timed.extent,
    );
    expect(extents).toEqual([...extents].sort((a, b) => a - b));
    expect(extents[4]).toBe(layer.extent);
  }
});

test("however little time there is, every layer keeps an output and sees its outer taps", () => {
  for (const layer of LAYERS) {
    const { timed } = fitLayer(layer, SOFTWARE, { ...BUDGET, seconds: 0 }, NO_LIMIT);
    expect(scaledProblem(layer, timed).outputPositions).toBeGreaterThanOrEqual(1);
  }
  expect(fitLayer(DILATED, SOFTWARE, { ...BUDGET, seconds: 0 }, NO_LIMIT).timed.extent).toBe(13);
});

test("a batch is given up before the extent", () => {
  const full = scaledProblem(LENET, { batch: 32, extent: 28 });
  const seconds = BUDGET.runs * gpuSeconds(full, SOFTWARE) + referenceSeconds(full, SOFTWARE);
  const { timed } = fitLayer(LENET, SOFTWARE, { ...BUDGET, seconds: 0.6 * seconds }, NO_LIMIT);
  expect(timed).toEqual({ batch: 16, extent: 28 });
});

test("a fast GPU gets a batch that keeps it busy, and is verified at a size that the CPU can follow", () => {
  const { timed, verified } = fitLayer(STEM, FAST_GPU, BUDGET, NO_LIMIT);
  expect(timed.extent).toBe(224);
  expect(timed.batch).toBeGreaterThan(1);
  const checked = scaledProblem(STEM, verified);
  expect(checked.multiplyAdds).toBeLessThan(scaledProblem(STEM, timed).multiplyAdds);
  expect(referenceSeconds(checked, FAST_GPU)).toBeLessThanOrEqual(BUDGET.seconds / 2);
});

test("a batch stays within the largest tensor", () => {
  const bytes = 4 * 64 * 112 * 112 * 2;
  const { timed } = fitLayer(STEM, FAST_GPU, BUDGET, bytes);
  expect(timed.batch).toBe(2);
});

test("a slow GPU runs a smaller picture, not a smaller check than it has to", () => {
  const { timed, verified } = fitLayer(STEM, SLOW_GPU, BUDGET, NO_LIMIT);
  expect(timed.extent).toBeLessThan(224);
  expect(verified.extent).toBeLessThanOrEqual(timed.extent);
});

test("the name says the size where it is not the network's", () => {
  expect(scaledName(STEM, { batch: 1, extent: 224 })).toBe("ResNet-50 stem 7x7/2 3->64 224x224");
  expect(scaledName(STEM, { batch: 1, extent: 56 })).toBe("ResNet-50 stem 7x7/2 3->64 224x224 [56x56, batch 1]");
  expect(scaledName(STEM, { batch: 8, extent: 224 })).toBe("ResNet-50 stem 7x7/2 3->64 224x224 [224x224, batch 8]");
});

test("the share inside counts what reads the input, not its padding", () => {
  // 3x3 over 2x2 with padding 1: along an axis, 2 of 3 taps at both positions.
  const square = named("ResNet-50 conv2_x 3x3");
  expect(insideShare(scaledProblem(square, { batch: 1, extent: 2 }))).toBeCloseTo(4 / 9, 12);
  expect(insideShare(scaledProblem(named("NiN"), { batch: 1, extent: 5 }))).toBe(1);
});
