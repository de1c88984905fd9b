/**
 * The same convolution with hyperparameters bounded by sizes, so that index arithmetic stays within 32 bits and no plan
 * costs more than its tensors are worth.
 *
 * Along an axis, tap k of output o reads position `o * stride + k * dilation - padBegin`. Of positions outside the input only
 * the side matters. Where steps are so long that at most one of them reaches the input, shorter ones do as well: positions
 * within the input stay where they are, and the others stay on their side.
 */
import { show } from "../base/errors.js";
import type { ConvProblem, Triple } from "./problem.js";

/** An axis: all that decides which positions are read. */
export interface Axis {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padBegin: number;
}

/** Positions `n * step + j * rest - pad`, j below `count`. */
interface Steps {
  readonly step: number;
  readonly rest: number;
  readonly count: number;
  readonly pad: number;
}

/** Shorter steps that read the same, where no two steps reach the input; undefined where they cannot be shorter. */
function shorten({ step, rest, count, pad }: Steps, input: number): { step: number; pad: number } | undefined {
  const span = (count - 1) * Math.abs(rest);
  const shorter = input + span + 1;
  if (step <= shorter) return undefined;
  const [lowest, highest] = rest < 0 ? [-span, 0] : [0, span];
  // The first step whose highest position is not before the input. Where none of its positions is within, it begins right behind.
  const first = Math.ceil((pad - highest) / step);
  const at = Math.min(first * step - pad, input - lowest);
  return { step: shorter, pad: first * shorter - at };
}

/**
 * Shortens `long`, one of the two steps of positions `i * long + j * other - pad`. `other` is taken as a multiple of `long` and
 * a rest: the multiple counts as steps of `long`.
 */
function shortenOne(long: number, other: number, count: number, pad: number, input: number) {
  const multiple = count > 1 ? Math.round(other / long) : 0;
  const rest = count > 1 ? other - multiple * long : 0;
  const shorter = shorten({ step: long, rest, count, pad }, input);
  return shorter && { long: shorter.step, other: count > 1 ? multiple * shorter.step + rest : other, pad: shorter.pad };
}

/** An axis that reads the same positions, in steps no longer than they need be. */
export function boundAxis(axis: Axis): Axis {
  const { input, output, kernel } = axis;
  let { stride, dilation, padBegin } = axis;
  if (kernel === 1) dilation = 1;
  for (;;) {
    const byStride = output > 1 ? shortenOne(stride, dilation, kernel, padBegin, input) : undefined;
    if (byStride) ({ long: stride, other: dilation, pad: padBegin } = byStride);
    const byDilation = kernel > 1 ? shortenOne(dilation, stride, output, padBegin, input) : undefined;
    if (byDilation) ({ long: dilation, other: stride, pad: padBegin } = byDilation);
    if (!byStride && !byDilation) break;
  }
  // A single output is at 0 steps, however long.
  if (output === 1) stride = Math.min(stride, input + (kernel - 1) * dilation + 1);
  return { ...axis, stride, dilation, padBegin };
}

/** Modes that reach for elements from the edge on: how far beyond it a position lies matters to them. */
const isFolded = ({ paddingMode }: ConvProblem): boolean => paddingMode !== "zeros" && paddingMode !== "replicate";

const axisOf = ({ input, output, kernel, stride, dilation, padBegin }: ConvProblem, axis: number): Axis => ({
  input: input[axis],
  output: output[axis],
  kernel: kernel[axis],
  stride: stride[axis],
  dilation: dilation[axis],
  padBegin: padBegin[axis],
});

function boundWithin(problem: ConvProblem, index: number): Axis {
  const axis = axisOf(problem, index);
  if (!isFolded(problem)) return boundAxis(axis);
  // Padding is at most the input there, and so are steps where there is more than one.
  const { input, output, kernel, stride } = axis;
  const dilation = kernel === 1 ? 1 : axis.dilation;
  const longest = input + (kernel - 1) * dilation + 1;
  return { ...axis, dilation, stride: output === 1 ? Math.min(stride, longest) : stride };
}

const isSame = (one: Axis, other: Axis): boolean =>
  one.stride === other.stride && one.dilation === other.dilation && one.padBegin === other.padBegin;

/** The problem with stride, dilation and padding bounded by sizes; itself where they are. */
export function bounded(problem: ConvProblem): ConvProblem {
  const axes = [0, 1, 2].map((axis) => boundWithin(problem, axis));
  if (axes.every((axis, i) => isSame(axis, axisOf(problem, i)))) return problem;
  const all = (valueOf: (axis: Axis, index: number) => number): Triple => {
    const [depth, height, width] = axes;
    return [valueOf(depth, 0), valueOf(height, 1), valueOf(width, 2)];
  };
  return Object.freeze({
    ...problem,
    stride: all(({ stride }) => stride),
    dilation: all(({ dilation }) => dilation),
    padBegin: all(({ padBegin }) => padBegin),
    padEnd: all((axis, i) => (isSame(axis, axisOf(problem, i)) ? problem.padEnd[i] : padEndOf(axis))),
    key: `${problem.key},bounded`,
  });
}

/** Padding at the end that the last tap of the last output needs. */
const padEndOf = ({ input, output, kernel, stride, dilation, padBegin }: Axis): number =>
  (output - 1) * stride + (kernel - 1) * dilation + 1 - input - padBegin;

/** Positions are signed 32-bit integers in the shaders. */
const LARGEST = 2 ** 31 - 1;
/** Steps that a tile may reach beyond the last output, and the last tap. */
const BEYOND = { outputs: 4, taps: 9 };

/** Why positions of a convolution cannot be counted in 32 bits, however they are shortened; undefined when they can. */
export function reachRefusal(problem: ConvProblem): string | undefined {
  for (const [index, name] of ["depth", "height", "width"].entries()) {
    const { input, output, kernel, stride, dilation, padBegin } = boundWithin(problem, index);
    const forward = (output + BEYOND.outputs) * stride + (kernel + BEYOND.taps) * dilation;
    const backward = (isFolded(problem) ? 2 : 1) * input + Math.abs(padBegin) + BEYOND.outputs * stride;
    if (Math.max(forward, backward) <= LARGEST) continue;
    const given = [problem.stride, problem.dilation, problem.padBegin, problem.padEnd].map((triple) => triple[index]);
    const [s, d, begin, end] = given.map(String);
    return `stride ${s}, dilation ${d} and padding ${show([Number(begin), Number(end)])} reach too far along ${name}: positions of the padded input must stay below 2^31`;
  }
  return undefined;
}
