/**
 * How the page writes numbers. Results of small layers in full, as far as float32 has digits; measured ones with the three
 * digits that matter; none with an exponent but errors. What is written to add up does so digit by digit, or says that it
 * does not: see {@link relation}.
 */
import { significant } from "../benchmark/format.js";

/** Of a float32 result: its seventh is rounded. */
const DIGITS = 6;

/** The number that is read where {@link formatNumber} writes this one. */
export function asWritten(value: number): number {
  const size = Math.abs(value);
  const before = size < 1 ? 0 : Math.floor(Math.log10(size)) + 1;
  return Number(value.toFixed(Math.max(0, DIGITS - before)));
}

/** With a true minus sign, and no more decimals than there are. */
export function formatNumber(value: number): string {
  const written = asWritten(value);
  return written < 0 ? `−${String(-written)}` : String(Math.abs(written));
}

/** As a factor or a summand, where a minus sign would follow another sign. */
export const formatFactor = (value: number): string =>
  asWritten(value) < 0 ? `(${formatNumber(value)})` : formatNumber(value);

/** Less than half of the last decimal that is written, and more than float64 errs by. */
const EXACT = 4e-7;

/** The sign between a sum of what is written and its result: "=" where one is the other, else "≈". */
export const relation = (sum: number, result: number): "=" | "≈" =>
  Math.abs(sum - asWritten(result)) < EXACT ? "=" : "≈";

/** The value of a formula, of which two decimals tell enough: marked where they do not tell all. */
export function formatRounded(value: number): string {
  const rounded = Number(value.toFixed(2));
  return `${Math.abs(rounded - value) < 1e-9 ? "" : "≈ "}${formatNumber(rounded)}`;
}

export const formatCount = (count: number): string => count.toLocaleString("en");

/** "1 zero", "2 zeros". */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;

export const formatMilliseconds = (milliseconds: number): string => `${significant(milliseconds)} ms`;

export const formatRatio = (ratio: number): string => `${significant(ratio)}×`;

/** An absolute error. */
export const formatError = (error: number): string => (error === 0 ? "0" : error.toExponential(1));

/** A bound: rounded up, so that it remains one. */
export function formatAtMost(bound: number): string {
  const unit = 10 ** (Math.floor(Math.log10(bound)) - 1);
  return formatError(bound === 0 ? 0 : Math.ceil(bound / unit - 1e-9) * unit);
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${String(Math.round(bytes))} B`;
  // 1023.6 KiB would be written as 1024.
  const power = Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(bytes * 1.0005) / 10));
  return `${significant(bytes / 1024 ** power)} ${BYTE_UNITS[power]}`;
}
