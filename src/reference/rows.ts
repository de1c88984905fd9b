/** The loops that the reference passes share: every product of a convolution once, in runs along output rows. */
import type { PaddingMode } from "../problem/padding.js";
import { paddedSource } from "./paddedSource.js";
import type { ConvProblem } from "../problem/problem.js";

/**
 * Takes `count` products along one output row. Product i belongs to `y[yStart + i]`, `x[xStart + i * xStep]` and
 * `w[wIndex]`.
 */
export type RowCallback = (yStart: number, xStart: number, xStep: number, wIndex: number, count: number) => void;

/** Outputs that read inputs at even steps: output `first + i` reads input `start + i * step`, i below `count`. */
interface Run {
  readonly first: number;
  readonly count: number;
  readonly start: number;
  readonly step: number;
}

/** An axis as one tap sees it: output o reads position `o * stride + offset`. */
interface TapAxis {
  readonly outputs: number;
  readonly inputs: number;
  readonly stride: number;
  readonly offset: number;
}

/** Inputs from one output to the next beyond an edge, for a stride of 1. */
const STEP_BEYOND = { reflect: -1, symmetric: -1, replicate: 0, circular: 1 } as const;

const within = (value: number, lowest: number, highest: number): number => Math.min(Math.max(value, lowest), highest);

/** What a tap reads along an axis: the input itself and, unless padding is zeros, what lies before and beyond it. */
export function runsAlong({ outputs, inputs, stride, offset }: TapAxis, mode: PaddingMode): Run[] {
  const begin = within(Math.ceil(-offset / stride), 0, outputs);
  const end = within(Math.floor((inputs - 1 - offset) / stride) + 1, begin, outputs);
  const inside = { first: begin, count: end - begin, start: begin * stride + offset, step: stride };
  if (mode === "zeros") return inside.count > 0 ? [inside] : [];
  const outside = (first: number, count: number): Run => {
    const start = paddedSource(first * stride + offset, inputs, mode);
    return { first, count, start, step: STEP_BEYOND[mode] * stride };
  };
  return [outside(0, begin), inside, outside(end, outputs - end)].filter(({ count }) => count > 0);
}

/** Calls `use` with each output of the runs and the input that it reads. */
function forEachPair(runs: readonly Run[], use: (output: number, input: number) => void): void {
  for (const { first, count, start, step } of runs) {
    for (let i = 0; i < count; i++) use(first + i, start + i * step);
  }
}

/**
 * Calls `use` with all products that the convolution sums, one output row and tap at a time. Zero padding is left out.
 * Tensors are channels-first: x `[N, C, D, H, W]`, w `[O, C / G, KD, KH, KW]`, y `[N, O, OD, OH, OW]`.
 */
export function forEachRow(problem: ConvProblem, use: RowCallback): void {
  const { batch, inChannels, outChannels, inChannelsPerGroup, outChannelsPerGroup, input, kernel, output } = problem;
  const runsOf = (axis: 0 | 1 | 2): readonly (readonly Run[])[] =>
    Array.from({ length: kernel[axis] }, (_, tap) => {
      const offset = tap * problem.dilation[axis] - problem.padBegin[axis];
      const along = { outputs: output[axis], inputs: input[axis], stride: problem.stride[axis], offset };
      return runsAlong(along, problem.paddingMode);
    });
  const [depths, heights, widths] = [runsOf(0), runsOf(1), runsOf(2)];
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < outChannels; o++) {
      const group = Math.floor(o / outChannelsPerGroup);
      const yPlane = (n * outChannels + o) * problem.outputPositions;
      for (let c = 0; c < inChannelsPerGroup; c++) {
        const xPlane = (n * inChannels + group * inChannelsPerGroup + c) * problem.inputPositions;
        const wPlane = (o * inChannelsPerGroup + c) * problem.taps;
        for (let tap = 0; tap < problem.taps; tap++) {
          const row = Math.floor(tap / kernel[2]);
          forEachPair(depths[Math.floor(row / kernel[1])], (od, id) => {
            forEachPair(heights[row % kernel[1]], (oh, ih) => {
              for (const { first, count, start, step } of widths[tap % kernel[2]]) {
                const yStart = yPlane + (od * output[1] + oh) * output[2] + first;
                use(yStart, xPlane + (id * input[1] + ih) * input[2] + start, step, wPlane + tap, count);
              }
            });
          });
        }
      }
    }
  }
}
