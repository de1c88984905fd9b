/** What the sums of average pooling are divided by. */
import type { Size } from "../../core/volumes.js";
import type { Windows } from "./windows.js";

export interface Divisor {
  /** Whether positions in the padding count. */
  readonly countIncludePad: boolean;
  /** In place of any count. */
  readonly fixed: number | undefined;
}

/** Positions that count: from the first, to before the second. */
export function countedRange(
  { input, padBegin, padEnd }: Windows,
  { countIncludePad }: Divisor,
): { readonly countedFrom: readonly number[]; readonly countedTo: readonly number[] } {
  if (!countIncludePad) return { countedFrom: [0, 0, 0], countedTo: input.size };
  return {
    countedFrom: padBegin.map((pad) => -pad),
    countedTo: input.size.map((extent, axis) => extent + padEnd[axis]),
  };
}

/** On the host: of the window at `at`. */
export function divisorOf(windows: Windows, divisor: Divisor, at: Size): number {
  if (divisor.fixed !== undefined) return divisor.fixed;
  const { kernel, stride, padBegin } = windows;
  const { countedFrom, countedTo } = countedRange(windows, divisor);
  let count = 1;
  for (const [axis, window] of at.entries()) {
    const begin = window * stride[axis] - padBegin[axis];
    count *= Math.min(begin + kernel[axis], countedTo[axis]) - Math.max(begin, countedFrom[axis]);
  }
  return count;
}
