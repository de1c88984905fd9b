/** The comparison of training as Markdown, for people. */
import { OWN_ENGINE } from "../engine.js";
import type { TrainingReport, TrainingRow } from "./row.js";

const MEBIBYTE = 2 ** 20;
const MICROSECONDS = 1000;
const HEAD = [
  ...["network", "engine", "step, ms", "first step, ms", "peak, MiB", "dispatches"],
  ...["loss off by", "changes off by"],
];

export function formatTraining(report: TrainingReport): string {
  const align = HEAD.map((_, column) => (column < 2 ? "---" : "---:"));
  const lines = report.rows.map((row) => [row.network, row.engine, ...formatNumbers(row)]);
  const table = [HEAD, align, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  const title = "Steps of training (forward, backward, update), batch 16:";
  return [title, table, formatComparisons(report), ...formatReasons(report)].join("\n\n");
}

function formatNumbers({ ms, firstMs, peakBytes, dispatches, lossDifference, changeDifference, verdict }: TrainingRow) {
  if (ms === null) return [verdict === "fail" ? "failed" : "cannot", "", "", "", "", ""];
  const number = (value: number | null, format: (value: number) => string): string =>
    value === null ? "" : format(value);
  const off = (value: number | null): string => (value === null ? "NaN" : value.toExponential(1));
  return [
    verdict === "pass" ? ms.toFixed(1) : "wrong",
    number(firstMs, (value) => value.toFixed(0)),
    number(peakBytes, (value) => (value / MEBIBYTE).toFixed(1)),
    number(dispatches, String),
    off(lossDifference),
    off(changeDifference),
  ];
}

/** This engine beside the fastest of the others whose results are right, network by network. */
function formatComparisons({ rows }: TrainingReport): string {
  const networks = [...new Set(rows.map(({ network }) => network))];
  return networks
    .flatMap((network) => {
      const group = rows.filter((row) => row.network === network);
      const comparison = compareNetwork(group);
      return comparison ? [`- ${network}: ${comparison}`] : [];
    })
    .join("\n");
}

/** Undefined where this engine, or every other, has no right results. */
export function compareNetwork(rows: readonly TrainingRow[]): string | undefined {
  const right = rows.filter(({ verdict, ms }) => verdict === "pass" && ms !== null);
  const own = right.find(({ engine }) => engine === OWN_ENGINE);
  const others = right.filter(({ engine }) => engine !== OWN_ENGINE).sort((a, b) => Number(a.ms) - Number(b.ms));
  if (!own || others.length === 0) return undefined;
  const [fastest] = others;
  const speed = (Number(fastest.ms) / Number(own.ms)).toFixed(2);
  const memory = (Number(own.peakBytes) / Number(fastest.peakBytes)).toFixed(2);
  const tfjs = rows.find(({ engine, dispatches }) => engine === "tfjs-webgpu" && dispatches !== null);
  const parts = [`${speed} times as fast as ${fastest.engine}, with ${memory} times its peak memory`];
  if (tfjs) {
    const share = (100 * Number(own.dispatches)) / Number(tfjs.dispatches);
    parts.push(`${share.toFixed(0)} % of tfjs' dispatches`);
  }
  if (own.host) {
    const { recordMs, encodeMs, dispatches } = own.host;
    const perDispatch = (ms: number): string => ((MICROSECONDS * ms) / dispatches).toFixed(2);
    parts.push(
      `${perDispatch(recordMs)} microseconds of the host's time to record a dispatch, ${perDispatch(encodeMs)} to encode it`,
    );
  }
  return parts.join("; ");
}

/** Each reason once. */
function formatReasons({ rows }: TrainingReport): string[] {
  const lines = rows.flatMap(({ network, engine, verdict, reason }) => {
    if (verdict === "pass") return [];
    return [
      `- ${engine}, ${network}: ${(reason ?? "the results are not those of float64").replaceAll(/\s+/g, " ").trim()}`,
    ];
  });
  return lines.length === 0 ? [] : [["Not done, or wrong:", "", ...lines].join("\n")];
}
