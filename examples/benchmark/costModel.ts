/**
 * How long a layer should take: a rough model, good enough to choose sizes by. Where it is wrong the run takes
 * shorter or longer, and nothing else changes.
 */
import type { ConvProblem } from "webgpu-conv/reference";

/** Rates on the layer that {@link CALIBRATION} describes, in FLOPs a second, over all three passes. */
export interface DeviceSpeed {
  readonly software: boolean;
  readonly gpuFlops: number;
  readonly referenceFlops: number;
}

/** The layer that speeds are measured with: a usual one, small enough for the slowest device. */
export const CALIBRATION = { channels: 64, kernel: 3, extent: 14 } as const;

/** Channels of a group that share what a kernel loads, at most: more are tiled. */
const SHARING_CHANNELS = 8;
/** Work a filter tap costs beside its multiply-adds, in multiply-adds; seen on software devices. */
const TAP_OVERHEAD = 32;
/** Work a row of the reference costs beside its multiply-adds, in multiply-adds. */
const ROW_OVERHEAD = 10;

/** Seconds that the three passes take on the device. */
export function gpuSeconds(problem: ConvProblem, { gpuFlops }: DeviceSpeed): number {
  const sharing = problem.inChannelsPerGroup * Math.min(SHARING_CHANNELS, problem.outChannelsPerGroup);
  // The input gradient of a strided layer looks at every tap and uses one in stride^2.
  const passes = 2 + problem.stride[1] * problem.stride[2];
  return (passes * 2 * problem.multiplyAdds * (1 + TAP_OVERHEAD / sharing)) / gpuFlops;
}

/** Runs of the reference: for the values, and for the bounds, which also takes the absolute values of the inputs. */
const REFERENCE_RUNS = 2.7;

/** Seconds that the reference takes for the three passes and their bounds. */
export function referenceSeconds(problem: ConvProblem, { referenceFlops }: DeviceSpeed): number {
  const overhead = (1 + ROW_OVERHEAD / problem.output[2]) / (1 + ROW_OVERHEAD / CALIBRATION.extent);
  return (3 * REFERENCE_RUNS * 2 * problem.multiplyAdds * insideShare(problem) * overhead) / referenceFlops;
}

/** The share of multiply-adds that read the input and not its padding: the reference leaves the others out. */
export function insideShare({ input, output, kernel, stride, dilation, padBegin }: ConvProblem): number {
  let share = 1;
  for (let axis = 0; axis < input.length; axis++) {
    let inside = 0;
    for (let position = 0; position < output[axis]; position++) {
      for (let tap = 0; tap < kernel[axis]; tap++) {
        const at = position * stride[axis] + tap * dilation[axis] - padBegin[axis];
        if (at >= 0 && at < input[axis]) inside += 1;
      }
    }
    share *= inside / (output[axis] * kernel[axis]);
  }
  return share;
}
