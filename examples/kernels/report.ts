/** The report of one device as text. */
import { variantOf } from "./cases.js";
import { multiplyAddShare } from "./machine/statistics.js";
import { PASSES } from "./plan.js";
import { fill, instructionsEach, mainCompiled, type Row, scratchInLoops } from "./rows.js";
import { summarize, type Summary, summaryTable } from "./summary.js";
import { type Column, fixed, percent, table } from "./table.js";

const MEGABYTE = 1e6;

/** Of plain cases: by batch and pass, and of all. */
export function summariesOf(rows: readonly Row[]): readonly Summary[] {
  const plain = rows.filter(({ planned }) => variantOf(planned) === "");
  const groups = [1, 32].flatMap((batch) => PASSES.map((pass) => ({ batch, pass })));
  const parts = groups.map(({ batch, pass }) => {
    const own = plain.filter(({ planned }) => planned.batch === batch && planned.pass === pass);
    return summarize([String(batch), pass], own);
  });
  return [...parts, summarize(["all", "all"], plain)].filter(({ plans }) => plans > 0);
}

/** Layers in channels-last and float16 beside the same ones in plain form. */
export function variantSummaries(rows: readonly Row[]): readonly Summary[] {
  const varied = rows.filter(({ planned }) => planned.layer.varied);
  return ["", "channels-last", "float16"]
    .map((variant) => {
      const own = varied.filter(({ planned }) => variantOf(planned) === variant);
      return summarize([variant === "" ? "channels-first float32" : variant], own);
    })
    .filter(({ plans }) => plans > 0);
}

const PLAN_COLUMNS: readonly Column<Row>[] = [
  { title: "layer", isText: true, cell: ({ planned: { layer } }) => `${layer.network} ${layer.name}` },
  { title: "batch", cell: ({ planned: { batch } }) => String(batch) },
  {
    title: "pass",
    isText: true,
    cell: ({ planned }) => [planned.pass, variantOf(planned)].filter((word) => word !== "").join(", "),
  },
  { title: "solver", isText: true, cell: ({ planned: { solver, shape } }) => `${solver} ${shape}` },
  { title: "useful %", cell: ({ planned: { usefulShare } }) => percent(usefulShare) },
  { title: "workgroups", cell: ({ planned: { main } }) => String(main.workgroups) },
  { title: "threads", cell: ({ planned: { main } }) => String(main.threads) },
  { title: "fill 28", cell: (row) => percent(fill(row)) },
  { title: "fill", cell: (row) => percent(fill(row, row.planned.fillThreads)) },
  { title: "scratch MB", cell: ({ planned: { scratchBytes } }) => (scratchBytes / MEGABYTE).toFixed(1) },
  { title: "moved", cell: ({ planned: { movedBytes, leastBytes } }) => (movedBytes / leastBytes).toFixed(1) },
  { title: "F/B", cell: ({ planned: { flops, leastBytes } }) => (flops / leastBytes).toFixed(0) },
];

const COMPILED_COLUMNS: readonly Column<Row>[] = [
  { title: "registers", cell: (row) => fixed(mainCompiled(row)?.registers, 0) },
  { title: "waves", cell: (row) => fixed(mainCompiled(row)?.waves, 0) },
  {
    title: "spills:fills",
    cell: (row) => {
      const main = mainCompiled(row);
      return main && main.spills + main.fills > 0 ? `${main.spills}:${main.fills}` : "";
    },
  },
  { title: "in loops", cell: (row) => (scratchInLoops(row) > 0 ? String(scratchInLoops(row)) : "") },
  {
    title: "share %",
    cell: (row) => {
      const main = mainCompiled(row);
      return percent(main && multiplyAddShare(main));
    },
  },
  { title: "instructions", cell: (row) => fixed(instructionsEach(row), 2) },
];

export function detailTable(rows: readonly Row[]): string {
  const isCompiled = rows.some(({ compiled }) => compiled.size > 0);
  return table([...PLAN_COLUMNS, ...(isCompiled ? COMPILED_COLUMNS : [])], rows);
}

export const LEGEND = [
  "useful: of the multiply-adds executed; those beyond the edges of tiles, or of taps that a phase lacks, are in vain. Winograd's against its own.",
  "fill 28: threads of the dispatch that multiplies, over those that 28 multiprocessors hold (43,008); fill: over those that fill the device's class.",
  "moved: bytes that dispatches read and write over the least possible. F/B: FLOPs a byte, at the least.",
  "registers: of a lane (AMD, of 256) or living at once (Intel, of 128; Xe2 256). waves: subgroups of 32 lanes on a SIMD (GCN: of 64).",
  "in loops: accesses of scratch memory inside loops, of all dispatches. share: of the hot loop's issue slots, multiply-adds'.",
  "instructions: of the hot loop, to a multiply-add (AMD: those of vectors). Summary: means are geometric; GEMM-like passes have 8 result channels a group.",
].join("\n");

export function deviceReport(rows: readonly Row[]): string {
  const summaries = summariesOf(rows);
  const variants = variantSummaries(rows);
  return [
    detailTable(rows),
    LEGEND,
    summaryTable(["batch", "pass"], summaries),
    ...(variants.length > 1 ? [summaryTable(["layers of each kind"], variants)] : []),
  ].join("\n");
}
