/** What is told of a run: how it got on, and what became of each held-out photograph. */
import { plot } from "asciichart";

/** Decibels, all of the same patches. */
export interface Quality {
  readonly bicubic: number;
  readonly network: number;
}

/** The network after so many steps. */
export interface Check extends Quality {
  readonly steps: number;
  /** Of patches of the photographs that it learns from, decibels. */
  readonly learned: number;
  /** Mean since the check before; undefined before the first step. */
  readonly loss: number | undefined;
}

/** A held-out photograph: the network's quality before the first step and after the last. */
export interface Outcome extends Quality {
  readonly name: string;
  readonly before: number;
}

const decibels = (value: number): string => value.toFixed(2);

/** Columns as wide as they must be, the first to the left and others to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ");
  return rows.map(line).join("\n");
}

export function checksTable(checks: readonly Check[]): string {
  const rows = checks.map(({ steps, loss, learned, network, bicubic }) => {
    const numbers = [learned, network, bicubic, network - bicubic].map(decibels);
    return [String(steps), loss?.toFixed(1) ?? "", ...numbers];
  });
  return table([["steps", "loss", "learned, dB", "held out, dB", "bicubic, dB", "beyond"], ...rows]);
}

export function outcomesTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ name, bicubic, before, network }) => [
    name,
    ...[bicubic, before, network].map(decibels),
  ]);
  return table([["held out", "bicubic, dB", "before, dB", "after, dB"], ...rows]);
}

/** Means of the losses, as many as a terminal is wide. */
export function lossPlot(losses: readonly number[]): string {
  const columns = Math.min(losses.length, 72);
  const edge = (i: number): number => Math.floor((i * losses.length) / columns);
  const means = Array.from({ length: columns }, (_, i) => mean(losses.slice(edge(i), edge(i + 1))));
  return plot(means, { height: 10 });
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
