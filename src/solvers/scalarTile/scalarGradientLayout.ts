/** How operands of a weight gradient by scalar tiles lie, and how its long sum is cut. */
import { product } from "../../problem/geometry.js";
import type { ConvOperation } from "../../problem/operation.js";
import { isPointwise } from "../../problem/pointwise.js";
import type { ConvProblem, Triple } from "../../problem/problem.js";
import { cutWalk } from "../shared/blocks.js";
import type { Packing } from "./packPositions.js";

/** Knobs of a scalar tile; scalarTileWeightGradient.ts has a picture, and says what M, N and K are. */
export interface ScalarGradientConfig {
  /** Threads of a workgroup, all of them along N. Those beyond the last place idle. */
  readonly threads: number;
  /** M that a thread computes, a multiple of 4. More use each input more often; each takes registers for sums. */
  readonly mPerThread: number;
  /** Neighbouring input channels that a thread computes, 1, 2 or 4: they are loaded as a vector. More use each gradient more often. */
  readonly channelsPerThread: number;
  /** Positions of a row, which are loaded at once. More hide latencies and save counters; each takes registers. */
  readonly unroll: number;
  /** Parts of K, each with a partial result; as many as keep the device busy when absent. */
  readonly splitK?: number;
}

const VECTOR = 4;
const ONES: Triple = [1, 1, 1];

/** Output positions, cut into rows, and these into UNROLL positions at a time. */
export interface GradientRows {
  readonly rows: number;
  readonly columns: number;
  readonly iterations: number;
}

/**
 * With one tap, positions follow each other through all rows and samples, and the last of them may be padding, zeros of both tensors.
 * With more, rows are multiples of UNROLL: beyond their ends a tap would read what belongs to others, infinities among it.
 */
export function rowsOf({ taps, batch, output, outputPositions }: ConvProblem, unroll: number): GradientRows {
  const columns = taps === 1 ? batch * outputPositions : output[2];
  const rows = taps === 1 ? 1 : batch * output[0] * output[1];
  return { rows, columns, iterations: Math.ceil(columns / unroll) };
}

export function unrollRefusal({ taps, output }: ConvProblem, unroll: number): string | undefined {
  if (taps === 1 || output[2] % unroll === 0) return undefined;
  return `unroll is ${String(unroll)}; expected a divisor of ${String(output[2])}, the positions of a row`;
}

/** K cut into steps and blocks, for so many parts. */
export function walkOf({ rows, iterations }: GradientRows, unroll: number, splitK: number) {
  return cutWalk({ channels: iterations * unroll, taps: rows, unit: unroll, splitK });
}

/** How the operands lie that the kernel reads: a packing for each that does not do as it is. */
export interface GradientLayout {
  readonly rows: GradientRows;
  readonly gradient: Packing | undefined;
  readonly source: Packing | undefined;
}

/** Whether the tensors lie as float32, channels of a position side by side, and rows need no padding. */
function liesInRows({ problem, dtype, halves }: ConvOperation, { columns }: GradientRows, unroll: number): boolean {
  return problem.layout === "channels-last" && dtype === "float32" && halves !== true && columns % unroll === 0;
}

/** Whether each tap of each position meets the input, the first one in its corner. */
const startsInCorner = ({ padBegin, padEnd }: ConvProblem): boolean =>
  padBegin.every((pad) => pad === 0) && padEnd.every((pad) => pad <= 0);

export function gradientLayout(
  operation: ConvOperation,
  { mPerThread, channelsPerThread, unroll }: Omit<ScalarGradientConfig, "threads">,
): GradientLayout {
  const { problem, masked } = operation;
  const rows = rowsOf(problem, unroll);
  const inRows = liesInRows(operation, rows, unroll);
  const gradientLies = inRows && !masked && problem.outChannelsPerGroup % mPerThread === 0;
  const sourceLies =
    inRows &&
    problem.inChannelsPerGroup % channelsPerThread === 0 &&
    (problem.taps === 1 ? isPointwise(problem) : startsInCorner(problem));
  return {
    rows,
    gradient: gradientLies ? undefined : gradientPacking(problem, rows, mPerThread, unroll),
    source: sourceLies ? undefined : sourcePacking(problem, rows, unroll),
  };
}

function gradientPacking(
  { output }: ConvProblem,
  { rows, iterations }: GradientRows,
  mPerThread: number,
  unroll: number,
): Packing {
  return { role: "y", tile: mPerThread, packedSize: output, step: ONES, positions: rows * iterations * unroll };
}

/** With one tap, only what it reads; otherwise the input with its padding, as far as the last position reads. */
function sourcePacking(problem: ConvProblem, { iterations }: GradientRows, unroll: number): Packing {
  const { taps, batch, output, stride, kernel, dilation, inChannelsPerGroup } = problem;
  const common = { role: "x", tile: VECTOR * Math.ceil(inChannelsPerGroup / VECTOR) } as const;
  if (taps === 1) return { ...common, packedSize: output, step: stride, positions: iterations * unroll };
  const reach = (axis: number): number => (output[axis] - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1;
  const packedSize: Triple = [reach(0), reach(1), reach(2)];
  return { ...common, packedSize, step: ONES, positions: batch * product(packedSize) };
}

/** An integer as the kernel's arithmetic has it, which is modulo 2^32. */
const wrapped = (value: number): number => value >>> 0;

/** Where the kernel finds the input, in places of `channelsPerThread` channels. */
export function sourceSteps(problem: ConvProblem, { source }: GradientLayout, channelsPerThread: number) {
  const { taps, output, stride, dilation, input, inChannels, inChannelsPerGroup } = problem;
  const [depth, height, width] = source?.packedSize ?? input;
  const position = (source?.tile ?? inChannels) / channelsPerThread;
  const groupStep = source ? source.positions * position : inChannelsPerGroup / channelsPerThread;
  const line = width * position;
  const plane = height * line;
  if (taps === 1) return { tapSteps: [0, 0, 0], rowSteps: [0, 0, 0], columnStep: position, groupStep };
  const row = stride[1] * line;
  const planes = stride[0] * plane;
  return {
    tapSteps: [dilation[0] * plane, dilation[1] * line, dilation[2] * position],
    rowSteps: [row, wrapped(planes - output[1] * row), wrapped(depth * plane - output[0] * planes)],
    columnStep: stride[2] * position,
    groupStep,
  };
}

/** Where it finds gradients, in rows. */
export function gradientSteps(
  { outChannels, outChannelsPerGroup }: ConvProblem,
  { rows: { rows, iterations }, gradient }: GradientLayout,
  mPerThread: number,
) {
  const tilesM = Math.ceil(outChannelsPerGroup / mPerThread);
  const tileStep = gradient ? rows * iterations : 1;
  return { gradientSteps: [tilesM * tileStep, tileStep], gradientStep: gradient ? 0 : outChannels / mPerThread };
}
