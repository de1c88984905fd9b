/** Windows of pooling: what callers say of them, and where they lie. */
import { require, show } from "../../../base/errors.js";
import { dilatedExtent, product } from "../../../problem/geometry.js";
import type { Layout } from "../../../problem/layout.js";
import { type Padding, type PerAxis, readPadding, readPerAxis } from "../../../problem/options.js";
import type { Rank } from "../../../problem/problem.js";
import type { Reach, Resize, TensorSpec } from "../../../planning/tensorOperation.js";
import { wholeWorkgroups } from "../../../solvers/shared/constants.js";
import { THREADS } from "../../core/elements.js";
import { showShape } from "../../core/operation.js";
import {
  elementsOf,
  readVolumes,
  resized,
  resizedVolumes,
  shapeOf,
  type Size,
  threeOf,
  volumeConstants,
  type Volumes,
} from "../../core/volumes.js";

/** What pooling has in common. Meanings are PyTorch's. */
export interface PoolOptions {
  /** Extents of the window. */
  readonly kernel: PerAxis;
  /** From a window to the next; the window's extents when absent. */
  readonly stride?: PerAxis;
  /** Beyond the edges, 0 when absent: less on each side than the window spans. */
  readonly padding?: Padding;
  /** Whether a last window may reach beyond the padding, where it begins before it. Not when absent. */
  readonly ceilMode?: boolean;
  /** Dimension order of the tensor; "channels-first" when absent. */
  readonly layout?: Layout;
}

export const POOL_KEYS = { kernel: 1, stride: 1, padding: 1, ceilMode: 1, layout: 1 } as const;

/** Windows over a tensor. Axes are three, depth first; those that the tensor lacks have one window of one tap. */
export interface Windows {
  readonly input: Volumes;
  readonly output: Volumes;
  readonly kernel: Size;
  readonly stride: Size;
  readonly dilation: Size;
  readonly padBegin: Size;
  readonly padEnd: Size;
}

interface WindowAxis {
  readonly input: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
}

/**
 * Windows over a tensor of that shape, as options say.
 *
 * @throws ArgumentError for options that are no windows, and where none fits.
 */
export function readWindows(
  rank: Rank,
  shape: readonly number[],
  options: PoolOptions & { readonly dilation?: PerAxis },
): Windows {
  const { ceilMode = false } = options;
  require(typeof ceilMode === "boolean", () => `ceilMode is ${show(ceilMode)}; expected a boolean`);
  const input = readVolumes("x", shape, rank, options.layout);
  require((options.kernel as unknown) !== undefined, () =>
    "kernel is undefined; expected the window's extents: { kernel: 2 }");
  const kernels = readPerAxis("kernel", options.kernel, rank, 1);
  const strides = options.stride === undefined ? kernels : readPerAxis("stride", options.stride, rank, 1);
  const dilations = readPerAxis("dilation", options.dilation, rank, 1);
  const axes = input.spatial.map((extent, axis): WindowAxis => {
    return { input: extent, kernel: kernels[axis], stride: strides[axis], dilation: dilations[axis] };
  });
  const pads = readPadding(options.padding, axes);
  const outputs = axes.map((axis, i) => {
    const span = dilatedExtent(axis.kernel, axis.dilation);
    require(Math.min(...pads[i]) >= 0 && Math.max(...pads[i]) < span, () => {
      return `padding is ${show(pads[i])} along spatial axis ${String(i)}; expected at least 0 and less than the ${String(span)} positions that a window spans, so that each window meets the input`;
    });
    return windowCount(axis, pads[i], ceilMode);
  });
  require(Math.min(...outputs) >= 1, () => {
    return `x of shape ${showShape(shape)} has room for ${showShape(outputs)} windows of ${showShape(kernels)}; expected at least one along each axis: a smaller kernel, or more padding`;
  });
  return {
    input,
    output: resized(input, outputs),
    kernel: threeOf(kernels, 1),
    stride: threeOf(strides, 1),
    dilation: threeOf(dilations, 1),
    padBegin: threeOf(
      pads.map(([begin]) => begin),
      0,
    ),
    padEnd: threeOf(
      pads.map(([, end]) => end),
      0,
    ),
  };
}

/** Windows of the same kind over other extents: as many of them as `to` says. */
export function resizedWindows(windows: Windows, to: Resize): Windows {
  const { input, output, stride } = windows;
  const counts = output.spatial.map((count) => to(count));
  const strides = stride.slice(3 - input.rank);
  const spatial = input.spatial.map((extent, axis) => extent - strides[axis] * (output.spatial[axis] - counts[axis]));
  return { ...windows, input: resizedVolumes(input, to, spatial), output: resizedVolumes(output, to, counts) };
}

/** As PyTorch's pooling_output_shape: rounding up leaves out a window that begins in the padding at the end. */
function windowCount(axis: WindowAxis, [begin, end]: readonly [number, number], ceilMode: boolean): number {
  const { input, kernel, stride, dilation } = axis;
  const room = input + begin + end - dilatedExtent(kernel, dilation);
  if (!ceilMode) return Math.floor(room / stride) + 1;
  const count = Math.ceil(room / stride) + 1;
  return (count - 1) * stride >= input + begin ? count - 1 : count;
}

/** The tensor's shape and type. */
export const inputSpec = ({ input }: Windows, { dtype }: TensorSpec): TensorSpec => ({ shape: shapeOf(input), dtype });

/** The result's shape and type. */
export const outputSpec = ({ output }: Windows, { dtype }: TensorSpec): TensorSpec => ({
  shape: shapeOf(output),
  dtype,
});

/** What a result of windows is computed from. */
export const reachOf = ({ input: { layout }, kernel, stride, dilation, padBegin }: Windows): Reach => ({
  layout,
  extent: kernel.map((taps, axis) => dilatedExtent(taps, dilation[axis])),
  stride,
  before: padBegin,
});

/** Taps of a window. */
export const tapsOf = ({ kernel }: Windows): number => product(kernel);

/** Terms that the threads of a kernel sum, each the taps of a window. */
export const tapsSummed = (windows: Windows): number =>
  wholeWorkgroups(elementsOf(windows.output), THREADS) * tapsOf(windows);

/** Likewise of a gradient's, each the windows that may reach over a position. */
export function windowsSummed(windows: Windows): number {
  const over = reachOf(windows).extent.map((extent, axis) =>
    Math.min(Math.ceil(extent / windows.stride[axis]), windows.output.size[axis]),
  );
  return wholeWorkgroups(elementsOf(windows.input), THREADS) * product(over);
}

/** What kernels over windows are compiled for. */
export const windowConstants = ({ input, kernel, stride, dilation }: Windows) => ({
  ...volumeConstants(input),
  KERNEL_DEPTH: kernel[0],
  KERNEL_HEIGHT: kernel[1],
  KERNEL_WIDTH: kernel[2],
  STRIDE_DEPTH: stride[0],
  STRIDE_HEIGHT: stride[1],
  STRIDE_WIDTH: stride[2],
  DILATION_DEPTH: dilation[0],
  DILATION_HEIGHT: dilation[1],
  DILATION_WIDTH: dilation[2],
});

/** On the host: calls `visit` for each tap of the window at `at` that lies inside of the input, in order. */
export function forEachTap(windows: Windows, at: Size, visit: (position: Size, tap: number) => void): void {
  const { input, kernel, stride, dilation, padBegin } = windows;
  let tap = 0;
  for (let td = 0; td < kernel[0]; td++) {
    for (let th = 0; th < kernel[1]; th++) {
      for (let tw = 0; tw < kernel[2]; tw++) {
        const taps = [td, th, tw];
        const [z, y, x] = at.map((window, i) => window * stride[i] - padBegin[i] + taps[i] * dilation[i]);
        if (input.size.every((extent, i) => [z, y, x][i] >= 0 && [z, y, x][i] < extent)) visit([z, y, x], tap);
        tap++;
      }
    }
  }
}
