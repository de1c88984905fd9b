/** The report as Markdown. */
import { longestChain } from "webgpu-conv/reference";
import type { Row } from "./measure.js";

const PASSES: Readonly<Record<string, string>> = {
  forward: "forward",
  inputGradient: "input gradient",
  weightGradient: "weight gradient",
};

const scientific = (value: number): string => value.toExponential(1);
const grouped = (value: number): string => value.toLocaleString("en-US");
const ulps = (value: number): string => (value < 10 ? value.toFixed(2) : grouped(Math.round(value)));

/** A table, its columns aligned; those after the first `texts` hold numbers. */
function table(header: readonly string[], texts: number, rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, i) => Math.max(3, title.length, ...rows.map((row) => row[i].length)));
  const pad = (cell: string, i: number): string => (i < texts ? cell.padEnd(widths[i]) : cell.padStart(widths[i]));
  const line = (cells: readonly string[]): string => `| ${cells.map(pad).join(" | ")} |\n`;
  const rule = widths.map((width, i) => (i < texts ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return line(header) + line(rule) + rows.map(line).join("");
}

function layerTable(rows: readonly Row[]): string {
  const header = [
    "pass",
    "dtype",
    "solver",
    "terms",
    "chain",
    "ULP, median",
    "ULP, most",
    "relative RMS",
    "of the bound",
  ];
  return table(
    header,
    3,
    rows.map(({ pass, dtype, solver, terms, chain, errors }) => [
      PASSES[pass],
      dtype,
      solver,
      grouped(terms),
      grouped(chain),
      ulps(errors.medianUlps),
      ulps(errors.mostUlps),
      scientific(errors.relativeRms),
      `${(100 * errors.ofBound).toFixed(1)} %`,
    ]),
  );
}

/** @param equal relative errors of sums of equal terms, by solver */
export function report(
  device: string,
  rows: readonly Row[],
  equal: readonly { readonly terms: number; readonly errors: ReadonlyMap<string, number> }[],
): string {
  const layers = [...new Set(rows.map(({ layer }) => layer))];
  const solvers = [...new Set(equal.flatMap(({ errors }) => [...errors.keys()]))];
  const text = [
    "# Accuracy\n",
    `Made by \`npm run accuracy\` on ${device}.\n`,
    "Every solver of a pass, by its default constants, against float64 sums of the same stored values, uniform in [-1, 1). ULP are\nunits in the last place of the dtype at the exact value, so results that nearly cancel have many; the relative RMS error is\nthat of all elements over that of the exact values. The chain is the longest that a product goes through\n(`longestChain`; Winograd's tiles sum over channels or tiles alone), and the bound `chain * 2^-24 * sum|products|` (`errorBound`, `winogradErrorBound` for Winograd's tiles,\nfloat16's own rounding added).\n\nTensors larger than a binding go in pieces with the bits of the whole. A weight, bias or slope gradient whose sums read more than a\nbinding holds of one pair of channels has partial sums in float32, which are added in runs of 16, these in runs of 16, in order. The\nchain is longer by these additions, 33 or a few more, and the bound counts them from 2^25 terms on, which every device binds.\n",
    ...layers.map((layer) => `## ${layer}\n\n${layerTable(rows.filter((row) => row.layer === layer))}`),
    "## Equal terms\n",
    "The relative error of a weight gradient whose terms are all 0.1 \\* 0.3, whose roundings add up as no others do.\n",
    table(["solver", ...equal.map(({ terms }) => `${grouped(terms)} terms`)], 1, [
      ...solvers.map((solver) => [solver, ...equal.map(({ errors }) => shown(errors.get(solver)))]),
      ["the bound", ...equal.map(({ terms }) => scientific(longestChain(terms) * 2 ** -24))],
    ]),
  ];
  return text.join("\n");
}

const shown = (error: number | undefined): string => (error === undefined ? "refused" : scientific(error));
