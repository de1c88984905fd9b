/** Strides of tensors and filters, and the constants that a problem bakes into every kernel. */
import type { ConvProblem } from "../problem.js";

export const ELEMENT_BYTES = 4;

/** Elements between neighbours along batch, channel and (flattened) position. */
export type TensorStrides = readonly [batch: number, channel: number, position: number];

/** Channels first: `[N, C, positions]`. */
export function tensorStrides(channels: number, positions: number): TensorStrides {
  return [channels * positions, positions, 1];
}

/** Elements between neighbouring output channels, input channels and taps of a weight `[O, I / G, taps]`. */
export function weightStrides(problem: ConvProblem): {
  readonly out: number;
  readonly in: number;
  readonly tap: number;
} {
  return { out: problem.inChannelsPerGroup * problem.taps, in: problem.taps, tap: 1 };
}

/** Filter extent, stride and dilation: they shape loops and divisions, so they are compiled in. */
export function tapConstants({ kernel, stride, dilation }: ConvProblem) {
  return {
    KERNEL_DEPTH: kernel[0],
    KERNEL_HEIGHT: kernel[1],
    KERNEL_WIDTH: kernel[2],
    STRIDE_DEPTH: stride[0],
    STRIDE_HEIGHT: stride[1],
    STRIDE_WIDTH: stride[2],
    DILATION_DEPTH: dilation[0],
    DILATION_HEIGHT: dilation[1],
    DILATION_WIDTH: dilation[2],
  };
}

/** Smallest power of two that is at least `value`. */
export function powerOfTwoAtLeast(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}
