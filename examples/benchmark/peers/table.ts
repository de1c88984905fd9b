/** The results as Markdown, for people. */
import { geometricMean } from "../statistics.js";
import { CPU_BASELINE, OWN_ENGINE } from "./engine.js";
import { type Pass, PASSES } from "./layers.js";
import type { PeerReport, Row } from "./row.js";

/** One pass of one layer: the rows of all engines. */
interface Group {
  readonly layer: string;
  readonly pass: Pass;
  readonly rows: readonly Row[];
}

const SPEED = "GFLOP/s";

export function formatReport(report: PeerReport): string {
  return [formatHeading(report), formatTable(report), formatMeans(report), ...formatRemarks(report)].join("\n\n");
}

function formatHeading({ adapter, platform, date, rounds, tuned }: PeerReport): string {
  const choice = tuned ? "chose its kernels by measuring them" : "chose its kernels without measuring";
  return `${adapter}; ${platform}; ${date}; medians of ${rounds} rounds; ${OWN_ENGINE} ${choice}.`;
}

export function formatTable(report: PeerReport): string {
  const engines = Object.keys(report.engines);
  const heads = engines.map((name) => `${name} ${report.engines[name]}`);
  const head = ["layer", "pass", ...heads, `${OWN_ENGINE} / fastest peer`];
  const align = head.map((_, column) => (column < 2 ? "---" : "---:"));
  const lines = groupsOf(report.rows).map((group) => {
    const speeds = engines.map((name) => formatSpeed(group.rows.find(({ engine }) => engine === name)));
    return [group.layer, group.pass, ...speeds, formatRatio(group)];
  });
  const table = [head, align, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  return `${SPEED}, padding counted as if multiplied:\n\n${table}`;
}

export function formatMeans(report: PeerReport): string {
  const groups = groupsOf(report.rows);
  const lines = PASSES.flatMap((pass) => {
    const ratios = groups.flatMap((group) => (group.pass === pass ? (ratioOf(group) ?? []) : []));
    if (ratios.length === 0) return [];
    const layers = `${ratios.length} ${ratios.length === 1 ? "layer" : "layers"}`;
    return [`- ${pass}: ${geometricMean(ratios).toFixed(2)} over ${layers}, least ${Math.min(...ratios).toFixed(2)}`];
  });
  const title = `Geometric means of ${OWN_ENGINE} / fastest peer, over the layers that a peer can do (${CPU_BASELINE} is no peer, but the CPU without WebGPU):`;
  return [title, "", ...lines].join("\n");
}

/** What engines could not do and which results were wrong, each reason once. */
export function formatRemarks({ rows }: PeerReport): string[] {
  const remarks = new Map<string, string[]>();
  for (const { engine, layer, pass, verdict, unsupported, maxError } of rows) {
    if (verdict === "pass") continue;
    const reason = unsupported ?? `the result is beyond the error bound (largest error ${maxError ?? "NaN"})`;
    const key = `${engine}: ${reason.replaceAll(/\s+/g, " ").trim()}`;
    remarks.set(key, [...(remarks.get(key) ?? []), `${layer} ${pass}`]);
  }
  if (remarks.size === 0) return [];
  const lines = [...remarks].map(([reason, places]) => `- ${reason} (${formatPlaces(places)})`);
  return [["Not done, or wrong:", "", ...lines].join("\n")];
}

function formatPlaces(places: readonly string[]): string {
  const [first] = places;
  return places.length === 1 ? first : `${first} and ${places.length - 1} more`;
}

export function groupsOf(rows: readonly Row[]): Group[] {
  const groups = new Map<string, Group & { readonly rows: Row[] }>();
  for (const row of rows) {
    const { layer, pass } = row;
    const key = `${layer} ${pass}`;
    const group = groups.get(key) ?? { layer, pass, rows: [] };
    group.rows.push(row);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** This engine's speed over that of the fastest peer whose result is right; undefined without either. */
export function ratioOf({ rows }: Group): number | undefined {
  const speeds = rows.flatMap(({ engine, gflops, verdict }) =>
    verdict === "pass" && gflops !== null ? [{ engine, gflops }] : [],
  );
  const own = speeds.find(({ engine }) => engine === OWN_ENGINE);
  const peers = speeds.filter(({ engine }) => engine !== OWN_ENGINE && engine !== CPU_BASELINE);
  if (!own || peers.length === 0) return undefined;
  return own.gflops / Math.max(...peers.map(({ gflops }) => gflops));
}

function formatRatio(group: Group): string {
  return ratioOf(group)?.toFixed(2) ?? "no peer";
}

function formatSpeed(row: Row | undefined): string {
  if (row?.gflops == null) return row?.verdict === "fail" ? "failed" : "cannot";
  return row.verdict === "pass" ? formatNumber(row.gflops) : "wrong";
}

/** Two digits that matter, at least. */
function formatNumber(value: number): string {
  const decimals = Math.max(0, 1 - Math.floor(Math.log10(value)));
  return value.toFixed(Math.min(decimals, 3));
}
