/** Numbers as the part writes them. */

const DECIMALS = 2;

/** With a true minus sign, and at most two decimals. */
export function formatNumber(value: number): string {
  const rounded = Number(value.toFixed(DECIMALS));
  return rounded < 0 ? `−${String(-rounded)}` : String(Math.abs(rounded));
}

/** As a factor or a summand, where a minus sign would follow another sign. */
export const formatFactor = (value: number): string => (value < 0 ? `(${formatNumber(value)})` : formatNumber(value));

export const formatCount = (count: number): string => count.toLocaleString("en");
