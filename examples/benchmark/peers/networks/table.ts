/** The comparison of published networks as Markdown, for people. */
import {
  formatCells,
  formatComparisons,
  formatFixed,
  formatMebibytes,
  formatOff,
  formatReasons,
  formatTime,
  rivalsIn,
} from "../networkTable.js";
import type { NetworkRow, NetworksReport } from "./row.js";

const HEAD = [
  ...["network", "engine", "run, ms", "first result cold, ms", "warm, ms"],
  ...["peak, MiB", "left, MiB", "dispatches", "off by"],
];

export function formatNetworks({ rows }: NetworksReport): string {
  const table = formatCells(
    HEAD,
    rows.map((row) => [row.network, row.engine, ...formatNumbers(row)]),
  );
  const title = "Published networks from their files, each run's result read:";
  return [title, table, formatComparisons(rows, comparePublished), ...formatReasons(rows)].join("\n\n");
}

function formatNumbers(row: NetworkRow): string[] {
  const time = formatTime(row);
  if (row.ms === null) return [time, ...Array<string>(HEAD.length - 3).fill("")];
  return [
    time,
    formatFixed(row.coldMs, 0),
    formatFixed(row.warmMs, 0),
    formatMebibytes(row.peakBytes),
    formatMebibytes(row.leftBytes),
    formatFixed(row.dispatches, 0),
    formatOff(row.difference),
  ];
}

/** This engine beside the best of the others in each respect; undefined where this one, or every other, has no right result. */
export function comparePublished(rows: readonly NetworkRow[]): string | undefined {
  const rivals = rivalsIn(rows);
  if (!rivals) return undefined;
  const { own, peers } = rivals;
  const ratio = (one: number | null, other: number | null): string => (Number(one) / Number(other)).toFixed(2);
  const least = (key: "coldMs" | "warmMs" | "peakBytes"): NetworkRow =>
    [...peers].sort((a, b) => Number(a[key]) - Number(b[key]))[0];
  const beside = (key: "coldMs" | "warmMs" | "peakBytes"): string => {
    const best = least(key);
    return `${ratio(own[key], best[key])} times that of ${best.engine}`;
  };
  return [
    `${ratio(peers[0].ms, own.ms)} times as fast as ${peers[0].engine}`,
    `time to the first result ${beside("coldMs")} cold, ${beside("warmMs")} warm`,
    `peak memory ${beside("peakBytes")}`,
  ].join("; ");
}
