/** What a filter answers at a place, and where most of it comes from, in words. */
import { type Bank, EXTENT } from "./filters.js";

/** Parts are as large as another when they differ by rounding alone. */
const SAME = 1e-9;
const DECIMALS = 4;

export interface Readout {
  /** Of the filter, its bias included. */
  readonly answer: string;
  /** A sentence. */
  readonly origin: string;
}

/** @param parts what each tap adds, row by row */
export function readOut(bank: Bank, filter: number, parts: ArrayLike<number>): Readout {
  const bias = bank.bias[filter];
  const taps = Array.from(parts);
  const total = taps.reduce((sum, part) => sum + part, bias);
  const answer = rounded(total).toFixed(DECIMALS);
  if (rounded(total) === 0) {
    const silent = rounded(bias) === 0 && taps.every((part) => rounded(part) === 0);
    return { answer, origin: silent ? "No part of the filter fires here." : "What its parts add cancels out." };
  }
  // Towards the answer: a part of the other sign is nothing that it comes from.
  const towards = (part: number): number => Math.sign(total) * part;
  const most = Math.max(...taps.map(towards));
  const fromBias = towards(bias) - most;
  if (fromBias > SAME) return { answer, origin: `Most comes from the bias: ${rounded(bias).toFixed(DECIMALS)}.` };
  const strongest = taps.flatMap((part, tap) => (most - towards(part) <= SAME ? [tap] : []));
  const others = strongest.length - 1 + (fromBias >= -SAME ? 1 : 0);
  const also =
    others > 0 ? `, and as much from ${others === 1 ? "one other part" : `${String(others)} other parts`}` : "";
  const [tap] = strongest;
  const where = `row ${String(Math.floor(tap / EXTENT) + 1)}, column ${String((tap % EXTENT) + 1)}`;
  return { answer, origin: `Most comes from ${where} of the filter: ${rounded(taps[tap]).toFixed(DECIMALS)}${also}.` };
}

/** Without a sign that nothing would have. */
const rounded = (value: number): number => Number(value.toFixed(DECIMALS)) + 0;
