/** Average pooling. */
import kernel from "../../../../shaders/nn/average_pool.wgsl";
import { require, show } from "../../../base/errors.js";
import { type OptionKeys, optionKeys, requireOptions } from "../../../base/optionKeys.js";
import { dispatch } from "../../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import { requireInteger } from "../../../problem/geometry.js";
import type { Rank } from "../../../problem/problem.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { elementOf, workgroupsFor } from "../../core/elements.js";
import { makeOperation, runOne, specOf } from "../../core/operation.js";
import { elementsOf, forEachPlace, placeIn } from "../../core/volumes.js";
import { recordStep } from "../../tape/step.js";
import { averagePoolGradient } from "./averagePoolGradient.js";
import { countedRange, type Divisor, divisorOf } from "./divisor.js";
import {
  forEachTap,
  inputSpec,
  outputSpec,
  POOL_KEYS,
  type PoolOptions,
  reachOf,
  readWindows,
  resizedWindows,
  tapsSummed,
  windowConstants,
  type Windows,
} from "./windows.js";

export interface AveragePoolOptions extends PoolOptions {
  /** Whether the padding's zeros count as values. True when absent. */
  readonly countIncludePad?: boolean;
  /** What sums are divided by; the number of values when absent. */
  readonly divisorOverride?: number;
}

const AVERAGE_POOL_KEYS: OptionKeys = optionKeys<AveragePoolOptions>(
  { ...POOL_KEYS, countIncludePad: 1, divisorOverride: 1 },
  { number: "kernel" },
);

/**
 * The mean of each window: `y[o] = (sum over taps t of x[o * stride - padding + t]) / count`, where `count` is the number of
 * positions of the window in the input and, unless `countIncludePad` is false, in its padding; not of those beyond, with
 * `ceilMode`.
 *
 * @param x `[N, C, W]`, or as `layout` says; without N, too
 * @returns as PyTorch's avg_pool1d: `floor((W + padding - kernel) / stride) + 1` windows, both sides' padding counted; with
 *   `ceilMode` rounded up, without a window that begins in the padding at the end
 * @throws ArgumentError for shapes and options that do not fit.
 */
export const avgPool1d = (x: Tensor, options: AveragePoolOptions): Tensor => averagePool(x, 1, options);

/** {@link avgPool1d} in two dimensions: `x` is `[N, C, H, W]`, or as `layout` says. */
export const avgPool2d = (x: Tensor, options: AveragePoolOptions): Tensor => averagePool(x, 2, options);

/** {@link avgPool1d} in three dimensions: `x` is `[N, C, D, H, W]`, or as `layout` says. */
export const avgPool3d = (x: Tensor, options: AveragePoolOptions): Tensor => averagePool(x, 3, options);

function averagePool(x: Tensor, rank: Rank, options: AveragePoolOptions): Tensor {
  requireOptions(options, AVERAGE_POOL_KEYS);
  const { countIncludePad = true, divisorOverride } = options;
  require(typeof countIncludePad === "boolean", () =>
    `countIncludePad is ${show(countIncludePad)}; expected a boolean`);
  if (divisorOverride !== undefined) requireInteger("divisorOverride", divisorOverride, 1);
  const spec = specOf(x, "x");
  const windows = readWindows(rank, spec.shape, options);
  const divisor = { countIncludePad, fixed: divisorOverride };
  const y = runOne(averagePoolOperation(windows, spec, divisor), { x });
  recordStep({
    name: `avgPool${String(rank)}d`,
    inputs: [x],
    outputs: [y],
    saved: [],
    backward: ([dy]) => [dy && averagePoolGradient(windows, spec, divisor, dy)],
  });
  return y;
}

export function averagePoolOperation(windows: Windows, x: TensorSpec, divisor: Divisor): TensorOperation {
  const { input, output, padBegin } = windows;
  const elements = elementsOf(output);
  const constants = { ...windowConstants(windows), DIVISOR: divisor.fixed ?? 0 };
  return makeOperation({
    name: `avgPool${String(input.rank)}d`,
    options: { windows, divisor },
    operands: { x },
    results: { y: outputSpec(windows, x) },
    reach: reachOf(windows),
    resized(to) {
      const smaller = resizedWindows(windows, to);
      return averagePoolOperation(smaller, inputSpec(smaller, x), divisor);
    },
    solvers: [
      {
        name: "windows",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants,
              types: { Element: elementOf(x.dtype, capabilities) },
              uniforms: {
                sourceSize: input.size,
                resultSize: output.size,
                inner: input.inner,
                padBegin,
                elements,
                ...countedRange(windows, divisor),
              },
              bindings: { source: named("x"), result: named("y") },
              workgroups: workgroupsFor(elements, capabilities),
              multiplyAdds: tapsSummed(windows),
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute(values) {
      const means: number[] = [];
      forEachPlace(output, (outer, at, channel) => {
        let sum = 0;
        forEachTap(windows, at, (position) => {
          sum += values.x[placeIn(input, outer, position, channel)];
        });
        means.push(sum / divisorOf(windows, divisor, at));
      });
      return { y: Float64Array.from(means) };
    },
  });
}
