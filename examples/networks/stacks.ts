/**
 * Stacks of small filters. At stride 1 a filter of extent F keeps the extents where P = (F - 1) / 2: 3x3 with a border of 1, 5x5 with
 * one of 2. Pooling alone makes maps smaller, so that layers can be put together without counting.
 */
import { layers, type Module } from "webgpu-conv/nn";

/** The filters of the first and the second half. */
const WIDTHS = [12, 24];

/** F = 3, S = 1, P = 1. */
export const stackOfThree = (init: layers.Init, classes: number): Module => stack(init, classes, 3);

/** F = 5, S = 1, P = 2. */
export const stackOfFive = (init: layers.Init, classes: number): Module => stack(init, classes, 5);

function stack(init: layers.Init, classes: number, kernel: number): Module {
  const options = { kernel, padding: (kernel - 1) / 2, activation: "relu" } as const;
  const [first, second] = WIDTHS;
  return layers.sequential({
    conv1: layers.conv2d(init, 1, first, options),
    conv2: layers.conv2d(init, first, first, options),
    pool1: layers.maxPool({ kernel: 2 }),
    conv3: layers.conv2d(init, first, second, options),
    conv4: layers.conv2d(init, second, second, options),
    pool2: layers.globalPool(),
    fc: layers.linear(init, second, classes),
  });
}
