/** The walk that the three reference passes share: every (output row, filter tap) pair once. */
import type { ConvProblem } from "../problem.js";

/**
 * Called with `count` products along one output row: product i joins `y[yStart + i]`,
 * `x[xStart + i * xStep]` and `w[wIndex]`.
 */
export type RowVisitor = (yStart: number, xStart: number, xStep: number, wIndex: number, count: number) => void;

/** Outputs `first <= o < end` for which `o * stride + offset` lies within `[0, inputs)`. */
export function outputsInside(
  outputs: number,
  inputs: number,
  stride: number,
  offset: number,
): [first: number, end: number] {
  const first = Math.max(0, Math.ceil(-offset / stride));
  const end = Math.min(outputs, Math.floor((inputs - 1 - offset) / stride) + 1);
  return [first, Math.max(first, end)];
}

/**
 * Visits every product that the convolution sums, row by row, with zero padding left out. Channels-first
 * tensors: x `[N, C, D, H, W]`, w `[O, C / G, KD, KH, KW]`, y `[N, O, OD, OH, OW]`.
 */
export function visitRows(problem: ConvProblem, visit: RowVisitor): void {
  const { batch, inChannels, outChannels, inChannelsPerGroup, outChannelsPerGroup } = problem;
  const { input, kernel, output, stride, dilation, padBegin } = problem;
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < outChannels; o++) {
      const group = Math.floor(o / outChannelsPerGroup);
      const yPlane = (n * outChannels + o) * problem.outputPositions;
      for (let c = 0; c < inChannelsPerGroup; c++) {
        const xPlane = (n * inChannels + group * inChannelsPerGroup + c) * problem.inputPositions;
        const wPlane = (o * inChannelsPerGroup + c) * problem.taps;
        for (let tap = 0; tap < problem.taps; tap++) {
          const kw = tap % kernel[2];
          const kh = Math.floor(tap / kernel[2]) % kernel[1];
          const kd = Math.floor(tap / (kernel[2] * kernel[1]));
          const dOffset = kd * dilation[0] - padBegin[0];
          const hOffset = kh * dilation[1] - padBegin[1];
          const wOffset = kw * dilation[2] - padBegin[2];
          const [dFirst, dEnd] = outputsInside(output[0], input[0], stride[0], dOffset);
          const [hFirst, hEnd] = outputsInside(output[1], input[1], stride[1], hOffset);
          const [wFirst, wEnd] = outputsInside(output[2], input[2], stride[2], wOffset);
          for (let od = dFirst; od < dEnd; od++) {
            for (let oh = hFirst; oh < hEnd; oh++) {
              const yStart = yPlane + (od * output[1] + oh) * output[2] + wFirst;
              const xRow = (od * stride[0] + dOffset) * input[1] + oh * stride[1] + hOffset;
              const xStart = xPlane + xRow * input[2] + wFirst * stride[2] + wOffset;
              visit(yStart, xStart, stride[2], wPlane + tap, wEnd - wFirst);
            }
          }
        }
      }
    }
  }
}
