/** Results of the comparison of published networks, as they are written to JSON. */
import { MOST_RELATIVE } from "../../../detect/difference.js";
import { OWN_ENGINE } from "../engine.js";
import type { PartReport } from "../row.js";
import type { First, Steady } from "./measure.js";

type Nullable<Numbers> = { readonly [Key in keyof Numbers]: Numbers[Key] | null };

/** Numbers are null where the engine could not do it. */
export interface NetworkRow extends Nullable<First>, Nullable<Omit<Steady, "difference">> {
  readonly network: string;
  readonly engine: string;
  readonly verdict: "pass" | "fail" | "cannot";
  /** What the engine said. */
  readonly reason?: string;
}

export interface NetworksReport extends PartReport {
  readonly rows: readonly NetworkRow[];
}

/** The larger difference of both counts. NaN is wrong. */
export function rowOf(
  network: string,
  engine: string,
  first: First,
  { ms, dispatches, ...steady }: Steady,
): NetworkRow {
  const difference = Math.max(first.difference, steady.difference);
  const verdict = difference <= MOST_RELATIVE ? "pass" : "fail";
  return { network, engine, ...first, difference, ms, dispatches, verdict };
}

/** Of an engine that could not do it. */
export function emptyRow(network: string, engine: string, reason: string): NetworkRow {
  const numbers = { coldMs: null, warmMs: null, peakBytes: null, leftBytes: null, difference: null };
  const verdict = engine === OWN_ENGINE ? "fail" : "cannot";
  return { network, engine, ...numbers, ms: null, dispatches: null, verdict, reason };
}
