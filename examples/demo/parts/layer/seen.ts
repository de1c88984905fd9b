/** Which rows of the input the windows see. Everything is square: the same holds for columns. */
import { dilatedExtent, outputSize, type PaddingMode } from "webgpu-conv";
import { type FitSettings, leftOver } from "./fit.js";

export interface Unseen {
  /** Rows behind the last window, which there is no place for another one in. */
  readonly behind: readonly number[];
  /** Rows between windows, or between the taps of all of them. */
  readonly between: readonly number[];
}

/** The row of the input that padding `at` rows from its first one copies; undefined for zeros. */
function copied(at: number, W: number, mode: PaddingMode): number | undefined {
  if (at >= 0 && at < W) return at;
  const beyond = at < 0 ? -at : at - W + 1;
  switch (mode) {
    case "zeros":
      return undefined;
    case "reflect":
      return at < 0 ? beyond : W - 1 - beyond;
    case "symmetric":
      return at < 0 ? beyond - 1 : W - beyond;
    case "replicate":
      return at < 0 ? 0 : W - 1;
    case "circular":
      return at < 0 ? W - beyond : beyond - 1;
  }
}

/** Of settings that fit. A row is seen where a tap of a window stands on it, or on a copy of it in the padding. */
export function findUnseen({ W, F, S, P, D, mode }: FitSettings): Unseen {
  const windows = outputSize(W, { kernel: F, stride: S, dilation: D, padding: P });
  const seen = new Set<number | undefined>();
  for (let window = 0; window < windows; window++) {
    for (let tap = 0; tap < F; tap++) seen.add(copied(window * S + tap * D - P, W, mode));
  }
  const end = (windows - 1) * S + dilatedExtent(F, D) - P;
  const unseen = Array.from({ length: W }, (_, row) => row).filter((row) => !seen.has(row));
  return { behind: unseen.filter((row) => row >= end), between: unseen.filter((row) => row < end) };
}

/** "row and column 3", "rows and columns 1, 3 and 5"; counted from 0, as in the formulas. */
function nameRows(rows: readonly number[]): string {
  const names = rows.map(String);
  if (names.length === 1) return `row and column ${names[0]}`;
  return `rows and columns ${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}

/** Of the rows behind the last window, in words: "the last row and column of the input". */
export function nameBehind(behind: readonly number[], W: number): string {
  // Rows that are copied into the padding in front may be seen there, and lie among those that are not.
  if (behind[behind.length - 1] !== W - 1 || behind[0] !== W - behind.length) return `${nameRows(behind)} of the input`;
  return `the last ${count(behind.length)} of the input`;
}

const count = (rows: number): string => (rows === 1 ? "row and column" : `${String(rows)} rows and columns`);

/** What the windows see of the input, in a sentence or two. Of settings that fit. */
export function describeSeen(settings: FitSettings): string {
  const { W, P, F, D } = settings;
  const { behind, between } = findUnseen(settings);
  const padding = Math.min(leftOver(settings), P);
  const sentences = [
    ...(padding > 0 ? [`Rounded down: no window reaches the last ${count(padding)} of the padding.`] : []),
    ...(behind.length > 0 ? [`No window reaches ${nameBehind(behind, W)}.`] : []),
  ];
  if (between.length === W) return [...sentences, "The windows see padding alone: nothing of the input."].join(" ");
  if (between.length > 0) {
    const where = F > 1 && D > 1 ? "the taps of all windows" : "the windows";
    sentences.push(`${capital(nameRows(between))}, counted from 0, lie between ${where}: they are never seen.`);
  } else if (behind.length === 0) sentences.push("Every row and column of the input is seen.");
  return sentences.join(" ");
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
