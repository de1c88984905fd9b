/** Which results of a pass meet its source with all of their taps. */
import type { ConvOperation } from "../../problem/operation.js";
import type { ConvProblem, Triple } from "../../problem/problem.js";

/** Positions from `begin` up to, and without, `end`, along each axis. */
export interface Box {
  readonly begin: Triple;
  readonly end: Triple;
}

export const EMPTY_BOX: Box = { begin: [0, 0, 0], end: [0, 0, 0] };

/** The results all of whose taps meet the source of a gather, beyond which zeros lie; undefined where all results are such. */
export function insideBox({ direction, problem }: Pick<ConvOperation, "direction" | "problem">): Box | undefined {
  const forward = direction !== "inputGradient";
  if (forward && problem.paddingMode !== "zeros") return undefined;
  const size = forward ? problem.output : problem.input;
  const ranges = size.map((_, axis) => rangeAlong(problem, axis, forward));
  if (ranges.every(([begin, end], axis) => begin === 0 && end === size[axis])) return undefined;
  if (ranges.some(([begin, end]) => begin >= end)) return EMPTY_BOX;
  const triple = (part: 0 | 1): Triple => [ranges[0][part], ranges[1][part], ranges[2][part]];
  return { begin: triple(0), end: triple(1) };
}

/** Positions of results along an axis that no tap reads beyond the source for: first, and end. */
function rangeAlong(problem: ConvProblem, axis: number, forward: boolean): [number, number] {
  const { input, output, kernel, stride, dilation, padBegin } = problem;
  const reach = (kernel[axis] - 1) * dilation[axis];
  if (forward) {
    const begin = Math.ceil(padBegin[axis] / stride[axis]);
    const end = Math.floor((input[axis] - 1 - reach + padBegin[axis]) / stride[axis]) + 1;
    return [Math.max(0, begin), Math.min(output[axis], end)];
  }
  const end = (output[axis] - 1) * stride[axis] - padBegin[axis] + 1;
  return [Math.max(0, reach - padBegin[axis]), Math.min(input[axis], end)];
}
