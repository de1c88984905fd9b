/** Max pooling. */
import kernel from "../../../../shaders/nn/max_pool.wgsl";
import { require } from "../../../base/errors.js";
import { type OptionKeys, optionKeys, requireOptions } from "../../../base/optionKeys.js";
import { dispatch } from "../../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import type { PerAxis } from "../../../problem/options.js";
import type { Rank } from "../../../problem/problem.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { elementOf, workgroupsFor } from "../../core/elements.js";
import { makeOperation, runOperation, specOf } from "../../core/operation.js";
import { elementsOf, forEachPlace, placeIn } from "../../core/volumes.js";
import { recordStep, tapeOf } from "../../tape/step.js";
import { maxPoolGradient } from "./maxPoolGradient.js";
import { MOST_TAPS, noTap, packTaps, packedSpec, tapsPerWord } from "./packedTaps.js";
import {
  forEachTap,
  inputSpec,
  outputSpec,
  POOL_KEYS,
  type PoolOptions,
  reachOf,
  readWindows,
  resizedWindows,
  tapsOf,
  tapsSummed,
  windowConstants,
  type Windows,
} from "./windows.js";

export interface MaxPoolOptions extends PoolOptions {
  /** Between neighbouring positions of a window; 1 when absent. */
  readonly dilation?: PerAxis;
}

const MAX_POOL_KEYS: OptionKeys = optionKeys<MaxPoolOptions>({ ...POOL_KEYS, dilation: 1 }, { number: "kernel" });

/**
 * The largest value in each window: `y[o] = max over taps t of x[o * stride - padding + dilation * t]`, NaN where there is one.
 * Its gradient goes to the first of equal values.
 *
 * @param x `[N, C, W]`, or as `layout` says; without N, too
 * @returns as PyTorch's max_pool1d: `floor((W + padding - dilation * (kernel - 1) - 1) / stride) + 1` windows, both sides'
 *   padding counted; with `ceilMode` rounded up, without a window that begins in the padding at the end
 * @throws ArgumentError for shapes and options that do not fit, and on a tape for windows of more than 2^24 taps.
 */
export const maxPool1d = (x: Tensor, options: MaxPoolOptions): Tensor => maxPool(x, 1, options);

/** {@link maxPool1d} in two dimensions: `x` is `[N, C, H, W]`, or as `layout` says. */
export const maxPool2d = (x: Tensor, options: MaxPoolOptions): Tensor => maxPool(x, 2, options);

/** {@link maxPool1d} in three dimensions: `x` is `[N, C, D, H, W]`, or as `layout` says. */
export const maxPool3d = (x: Tensor, options: MaxPoolOptions): Tensor => maxPool(x, 3, options);

function maxPool(x: Tensor, rank: Rank, options: MaxPoolOptions): Tensor {
  requireOptions(options, MAX_POOL_KEYS);
  const spec = specOf(x, "x");
  const windows = readWindows(rank, spec.shape, options);
  const saves = tapeOf(x) !== undefined;
  require(!saves || tapsOf(windows) <= MOST_TAPS, () => {
    return `windows have ${String(tapsOf(windows))} taps; expected at most 2^24 on a tape, which float32 can number: pool in parts`;
  });
  const [y, taps] = runOperation(maxPoolOperation(windows, spec, saves), { x });
  if (saves) {
    recordStep({
      name: `maxPool${String(rank)}d`,
      inputs: [x],
      outputs: [y],
      saved: [taps],
      backward: ([dy]) => [dy && maxPoolGradient(windows, spec, { dy, taps })],
    });
  }
  return y;
}

/** @param saves whether the tap that each window took is a second result: a quarter of a number or more, the fewest bytes */
export function maxPoolOperation(windows: Windows, x: TensorSpec, saves: boolean): TensorOperation {
  const { input, output, padBegin } = windows;
  const y = outputSpec(windows, x);
  const elements = elementsOf(output);
  const taps = packedSpec(windows);
  return makeOperation({
    name: `maxPool${String(input.rank)}d`,
    options: { windows, saves },
    operands: { x },
    results: saves ? { y, taps } : { y },
    reach: reachOf(windows),
    resized(to) {
      const smaller = resizedWindows(windows, to);
      return maxPoolOperation(smaller, inputSpec(smaller, x), saves);
    },
    solvers: [
      {
        name: "windows",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants: { ...windowConstants(windows), SAVES: saves, TAPS_PER_WORD: tapsPerWord(windows) },
              types: { Element: elementOf(x.dtype, capabilities) },
              uniforms: {
                sourceSize: input.size,
                resultSize: output.size,
                inner: input.inner,
                padBegin,
                elements,
                lowest: -Infinity,
              },
              bindings: { source: named("x"), result: named("y"), taps: saves ? named("taps") : "unused" },
              workgroups: workgroupsFor(elements, capabilities),
              multiplyAdds: tapsSummed(windows),
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute(values) {
      const largest: number[] = [];
      const taken: number[] = [];
      forEachPlace(output, (outer, at, channel) => {
        let best = -Infinity;
        let from = noTap(windows);
        let isFirst = true;
        forEachTap(windows, at, (position, tap) => {
          const value = values.x[placeIn(input, outer, position, channel)];
          if (isFirst || value > best || Number.isNaN(value)) [best, from] = [value, tap];
          isFirst = false;
        });
        largest.push(best);
        taken.push(from);
      });
      return { y: Float64Array.from(largest), ...(saves ? { taps: packTaps(windows, taken) } : {}) };
    },
  });
}
