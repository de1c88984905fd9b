/** The comparison of training as Markdown, for people. */
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
import type { TrainingReport, TrainingRow } from "./row.js";

const MICROSECONDS = 1000;
const HEAD = [
  ...["network", "engine", "step, ms", "first step, ms", "peak, MiB", "dispatches"],
  ...["loss off by", "changes off by"],
];

export function formatTraining({ rows }: TrainingReport): string {
  const table = formatCells(
    HEAD,
    rows.map((row) => [row.network, row.engine, ...formatNumbers(row)]),
  );
  const title = "Steps of training (forward, backward, update), batch 16:";
  return [title, table, formatComparisons(rows, compareNetwork), ...formatReasons(rows)].join("\n\n");
}

function formatNumbers(row: TrainingRow): string[] {
  const time = formatTime(row);
  if (row.ms === null) return [time, "", "", "", "", ""];
  return [
    time,
    formatFixed(row.firstMs, 0),
    formatMebibytes(row.peakBytes),
    formatFixed(row.dispatches, 0),
    formatOff(row.lossDifference),
    formatOff(row.changeDifference),
  ];
}

/** Undefined where this engine, or every other, has no right results. */
export function compareNetwork(rows: readonly TrainingRow[]): string | undefined {
  const rivals = rivalsIn(rows);
  if (!rivals) return undefined;
  const { own, peers } = rivals;
  const [fastest] = peers;
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
