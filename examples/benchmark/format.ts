/** Measured numbers as text. */

/** Decimals of the smallest numbers that are told from nothing. */
const MOST_DECIMALS = 9;

/** Three digits that matter, without an exponent. */
export function significant(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const rounded = Math.abs(Number(value.toPrecision(3)));
  const decimals = rounded === 0 ? 0 : 2 - Math.floor(Math.log10(rounded));
  return value.toFixed(Math.min(Math.max(decimals, 0), MOST_DECIMALS));
}

/** A part of a whole: a decimal where there is less than a tenth of it. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return String(share);
  const value = 100 * share;
  if (value > 0 && value < 0.05) return "<0.1%";
  return `${value.toFixed(value > 0 && value < 9.95 ? 1 : 0)}%`;
}
