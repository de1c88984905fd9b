/** What plans have in common, pass by pass. */
import { fewestWaves, fill, geometricMean, instructionsEach, issueBound, type Row, scratchInLoops } from "./rows.js";
import { type Column, fixed, percent, table } from "./table.js";

/** Waves that hide latencies, and a part of a device that is worth a launch: below they are counted. */
const FEWEST_WAVES = 4;
const LEAST_FILL = 0.6;

export interface Summary {
  readonly group: readonly string[];
  readonly plans: number;
  readonly useful: number | undefined;
  readonly leastUseful: number | undefined;
  readonly gemmUseful: number | undefined;
  readonly bound: number | undefined;
  readonly leastBound: number | undefined;
  readonly instructions: number | undefined;
  readonly mostInstructions: number | undefined;
  readonly spilling: number;
  readonly fewWaves: number;
  readonly unfilled: number;
}

const least = (values: readonly number[]): number | undefined => (values.length > 0 ? Math.min(...values) : undefined);
const most = (values: readonly number[]): number | undefined => (values.length > 0 ? Math.max(...values) : undefined);

export function summarize(group: readonly string[], rows: readonly Row[]): Summary {
  const gemm = rows.filter(({ gemmLike }) => gemmLike);
  const useful = rows.map(({ planned }) => planned.usefulShare);
  const bounds = gemm.flatMap((row) => issueBound(row) ?? []);
  const instructions = gemm.flatMap((row) => instructionsEach(row) ?? []);
  return {
    group,
    plans: rows.length,
    useful: geometricMean(useful),
    leastUseful: least(useful),
    gemmUseful: geometricMean(gemm.map(({ planned }) => planned.usefulShare)),
    bound: geometricMean(bounds),
    leastBound: least(bounds),
    instructions: geometricMean(instructions),
    mostInstructions: most(instructions),
    spilling: rows.filter((row) => scratchInLoops(row) > 0).length,
    fewWaves: rows.filter((row) => (fewestWaves(row) ?? FEWEST_WAVES) < FEWEST_WAVES).length,
    unfilled: rows.filter((row) => fill(row) < LEAST_FILL).length,
  };
}

/** @param titles of the groups' parts */
export function summaryTable(titles: readonly string[], summaries: readonly Summary[]): string {
  const groups = titles.map((title, i): Column<Summary> => ({ title, isText: true, cell: ({ group }) => group[i] }));
  return table<Summary>(
    [
      ...groups,
      { title: "plans", cell: ({ plans }) => String(plans) },
      { title: "useful %", cell: ({ useful }) => percent(useful) },
      { title: "worst", cell: ({ leastUseful }) => percent(leastUseful) },
      { title: "GEMM-like: useful %", cell: ({ gemmUseful }) => percent(gemmUseful) },
      { title: "x share %", cell: ({ bound }) => percent(bound) },
      { title: "worst", cell: ({ leastBound }) => percent(leastBound) },
      { title: "instructions", cell: ({ instructions }) => fixed(instructions, 2) },
      { title: "worst", cell: ({ mostInstructions }) => fixed(mostInstructions, 1) },
      { title: "spill in loops", cell: ({ spilling }) => String(spilling) },
      { title: "below 4 waves", cell: ({ fewWaves }) => String(fewWaves) },
      { title: "fill below 60 %", cell: ({ unfilled }) => String(unfilled) },
    ],
    summaries,
  );
}
