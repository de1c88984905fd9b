/** What a run found: rows, their summary, the JSON that is written, and the exit code. */
import type { Timing } from "webgpu-conv";
import type { Comparison } from "webgpu-conv/reference";
import type { Ceilings } from "./ceilings.js";
import type { HostCost } from "./hostCost.js";
import type { TuningRow } from "./tune.js";
import { type Pass, PASSES } from "./passes.js";
import type { Measurement } from "./measure.js";
import { geometricMean } from "./statistics.js";

export interface Verification extends Omit<Comparison, "worstIndex"> {
  /** One pass of the reference, at the size that was verified. */
  readonly referenceMs: number;
}

/** One pass of one layer. Numbers that could not be measured, because the row failed, are NaN. */
export interface Row {
  /** Its name says the size where that is not the network's. */
  readonly layer: string;
  readonly pass: Pass;
  readonly solver: string;
  /** Median of the samples. */
  readonly gpuMs: number;
  /** Whose clock timed it: the device's own where it has one, else the host's, submission included. */
  readonly clock: Timing["clock"];
  /** Half the samples' range over their median. */
  readonly spread: number;
  /** The float64 reference on one CPU core. */
  readonly cpuMs: number;
  /** True where cpuMs is that of a smaller problem, multiplied by the ratio of the multiply-adds. */
  readonly cpuExtrapolated: boolean;
  /** Padding counted as if multiplied. */
  readonly gflops: number;
  readonly fmaShare: number;
  /** Each operand and result moved once, over the time and the copy bandwidth. */
  readonly copyShare: number;
  /** Largest |result - reference| of all elements. */
  readonly maxError: number;
  /** The bound of the element whose error is largest relative to its bound. */
  readonly bound: number;
  /** That element's error over its bound: above 1 fails, and so does NaN. */
  readonly errorOverBound: number;
  readonly verdict: "pass" | "fail";
  /** Shape of x that was timed. */
  readonly input: readonly number[];
  /** Shape of x that was verified, by the same solver. */
  readonly verifiedInput: readonly number[];
  readonly samplesMs: readonly number[];
  /** Runs a sample. */
  readonly repeats: number;
  /** What stopped the row. */
  readonly error?: string;
}

export interface PassSummary {
  readonly pass: Pass;
  readonly rows: number;
  /** Geometric means over the rows. */
  readonly gflops: number;
  readonly cpuRatio: number;
}

export interface BenchmarkReport {
  readonly adapter: string;
  readonly software: boolean;
  readonly ceilings: Ceilings;
  readonly rows: readonly Row[];
  readonly summary: readonly PassSummary[];
  readonly hostCost?: HostCost;
  /** With --tune: each pass of each layer, and the time of the model's choice over the best, a geometric mean. */
  readonly tuning?: readonly TuningRow[];
  readonly modelLoss?: number;
}

export interface RowFindings extends Pick<Row, "layer" | "pass" | "solver" | "input" | "verifiedInput"> {
  readonly flops: number;
  readonly bytes: number;
  readonly ceilings: Ceilings;
  readonly measurement: Measurement;
  readonly clock: Timing["clock"];
  readonly verification: Verification;
  /** Multiply-adds of what was timed over those of what was verified. */
  readonly referenceScale: number;
}

export function makeRow(findings: RowFindings): Row {
  const { layer, pass, solver, clock, input, verifiedInput, flops, bytes, ceilings, referenceScale } = findings;
  const { medianMs, spread, samplesMs, repeats } = findings.measurement;
  const { pass: passed, maxError, bound, worstError, referenceMs } = findings.verification;
  const gflops = flops / medianMs / 1e6;
  return {
    layer,
    pass,
    solver,
    gpuMs: medianMs,
    clock,
    spread,
    cpuMs: referenceMs * referenceScale,
    cpuExtrapolated: referenceScale !== 1,
    gflops,
    fmaShare: gflops / ceilings.gflops,
    copyShare: bytes / medianMs / 1e6 / ceilings.gigabytesPerSecond,
    maxError,
    bound,
    // Where nothing was summed but zeros, both are 0, and exactly right.
    errorOverBound: worstError === 0 ? 0 : worstError / bound,
    verdict: passed ? "pass" : "fail",
    input,
    verifiedInput,
    samplesMs,
    repeats,
  };
}

/** The row of a pass that threw instead of giving a result. */
export function failedRow(layer: string, pass: Pass, input: readonly number[], cause: unknown): Row {
  return {
    layer,
    pass,
    solver: "none",
    gpuMs: NaN,
    clock: "wall-clock",
    spread: NaN,
    cpuMs: NaN,
    cpuExtrapolated: false,
    gflops: NaN,
    fmaShare: NaN,
    copyShare: NaN,
    maxError: NaN,
    bound: NaN,
    errorOverBound: NaN,
    verdict: "fail",
    input,
    verifiedInput: input,
    samplesMs: [],
    repeats: 0,
    error: cause instanceof Error ? cause.message : String(cause),
  };
}

/** Geometric means a pass, over the rows that have one. */
export function summarise(rows: readonly Row[]): PassSummary[] {
  return PASSES.flatMap((pass) => {
    const own = rows.filter((row) => row.pass === pass);
    if (own.length === 0) return [];
    const gflops = geometricMean(own.map((row) => row.gflops));
    const cpuRatio = geometricMean(own.map((row) => row.cpuMs / row.gpuMs));
    return [{ pass, rows: own.length, gflops, cpuRatio }];
  });
}

/** 1 when any row failed. */
export function exitCodeOf(rows: readonly Row[]): 0 | 1 {
  return rows.every((row) => row.verdict === "pass") ? 0 : 1;
}

/** The report as JSON text. NaN and infinities become null: JSON has no word for them. */
export function reportJson(report: BenchmarkReport): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
