/** Pointwise problems: 1x1 layers at stride 1 without padding. */
import type { ConvProblem, Triple } from "./problem.js";

/** Whether each output position reads one input position, the one at its own place: a 1x1 filter, stride 1, no padding. */
export function isPointwise({ taps, stride, padBegin, padEnd }: ConvProblem): boolean {
  return taps === 1 && stride.every((s) => s === 1) && [...padBegin, ...padEnd].every((pad) => pad === 0);
}

/**
 * A pointwise problem with each sample's positions in one row: kernels then divide less, and fewer of their tiles end with
 * a row. Other problems come back as they are. Elements stay where they are, and shapes stay the caller's.
 */
export function asRow(problem: ConvProblem): ConvProblem {
  if (problem.rank === 1 || problem.weightPositionStride > 0 || !isPointwise(problem)) return problem;
  const row: Triple = [1, 1, problem.inputPositions];
  return Object.freeze<ConvProblem>({
    ...problem,
    rank: 1,
    input: row,
    output: row,
    dilation: [1, 1, 1],
    paddingMode: "zeros",
    key: `${problem.key},row`,
  });
}
