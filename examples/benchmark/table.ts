/** The benchmark's findings as text. */
import type { Ceilings } from "./ceilings.js";
import { percent, significant } from "./format.js";
import type { HostCost } from "./hostCost.js";
import type { PassSummary, Row } from "./report.js";

interface Column {
  readonly title: string;
  readonly align: "left" | "right";
  readonly cell: (row: Row) => string;
}

const COLUMNS: readonly Column[] = [
  { title: "layer [size run, where scaled]", align: "left", cell: (row) => row.layer },
  { title: "pass", align: "left", cell: (row) => row.pass },
  { title: "solver", align: "left", cell: (row) => row.solver },
  { title: "GPU ms", align: "right", cell: (row) => significant(row.gpuMs) },
  { title: "±", align: "right", cell: (row) => percent(row.spread) },
  { title: "CPU ms", align: "right", cell: (row) => (row.cpuExtrapolated ? "~" : "") + significant(row.cpuMs) },
  { title: "CPU/GPU", align: "right", cell: (row) => `${significant(row.cpuMs / row.gpuMs)}x` },
  { title: "GFLOP/s", align: "right", cell: (row) => significant(row.gflops) },
  { title: "of FMA", align: "right", cell: (row) => percent(row.fmaShare) },
  { title: "of copy", align: "right", cell: (row) => percent(row.copyShare) },
  { title: "max error", align: "right", cell: (row) => row.maxError.toExponential(1) },
  { title: "bound", align: "right", cell: (row) => row.bound.toExponential(1) },
  { title: "error/bound", align: "right", cell: (row) => percent(row.errorOverBound) },
  { title: "verdict", align: "left", cell: (row) => row.verdict },
];

const LEGEND = [
  "GPU ms: median of the samples, ± half their range. CPU ms: one float64 reference pass on one core.",
  "of FMA, of copy: shares of the measured ceilings. max error: the largest of all elements; bound and error/bound:",
  "of the element that comes closest to its bound, roundings * 2^-24 * sum|products|, of Winograd's those of its",
  "transforms. An element beyond its bound fails.",
];
const EXTRAPOLATED =
  "~: the reference ran, and the result was compared, at a smaller size (the same solver); its time is scaled up.";

/** Columns as wide as their widest cell, numbers to the right. */
export function formatTable(rows: readonly Row[]): string {
  const cells = [COLUMNS.map(({ title }) => title), ...rows.map((row) => COLUMNS.map(({ cell }) => cell(row)))];
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  const lines = cells.map((line) =>
    line
      .map((text, i) => (COLUMNS[i].align === "left" ? text.padEnd(widths[i]) : text.padStart(widths[i])))
      .join("  ")
      .trimEnd(),
  );
  const [head, ...body] = lines;
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [head, rule, ...body, ...failures(rows), "", ...legend(rows)].join("\n");
}

function legend(rows: readonly Row[]): string[] {
  return rows.some((row) => row.cpuExtrapolated) ? [...LEGEND, EXTRAPOLATED] : LEGEND;
}

function failures(rows: readonly Row[]): string[] {
  return rows.flatMap(({ layer, pass, error }) =>
    error === undefined ? [] : [`${layer}, ${pass} did not run: ${error}`],
  );
}

export function formatCeilings({ gflops, gigabytesPerSecond }: Ceilings): string {
  return `Ceilings: ${significant(gflops)} GFLOP/s of f32 multiply-adds, ${significant(gigabytesPerSecond)} GB/s copied (read + written)`;
}

export function formatHostCost(cost: HostCost): string {
  const { recordingMicroseconds, submittedMicroseconds, replayedMicroseconds, replayedSubmittedMicroseconds } = cost;
  return [
    `Host cost of a repeated small operation: ${significant(recordingMicroseconds)} µs a call to record, ${significant(submittedMicroseconds)} µs with its share of submitting`,
    `Replayed by a compiled sequence: ${significant(replayedMicroseconds)} µs a dispatch to record, ${significant(replayedSubmittedMicroseconds)} µs with its share of submitting`,
  ].join("\n");
}

export function formatSummary(summary: readonly PassSummary[], rows: readonly Row[]): string {
  const passed = rows.filter((row) => row.verdict === "pass").length;
  return [
    "Geometric means:",
    ...summary.map(
      ({ pass, rows: count, gflops, cpuRatio }) =>
        `  ${pass.padEnd(14)}  ${significant(gflops)} GFLOP/s, ${significant(cpuRatio)}x the CPU reference, over ${count} ${count === 1 ? "layer" : "layers"}`,
    ),
    `${passed} of ${rows.length} results within their error bounds${passed === rows.length ? "" : `, ${rows.length - passed} FAILED`}`,
  ].join("\n");
}
