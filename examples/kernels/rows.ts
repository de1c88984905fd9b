/** A plan with what a GPU's compiler made of it, and what both say together. */
import { type Compiled, instructionsPerMultiplyAdd, multiplyAddShare } from "./machine/statistics.js";
import { THREADS_OF_28 } from "./models.js";
import { isGemmLike, type Planned, type PlannedDispatch } from "./plan.js";

export interface Row {
  readonly planned: Planned;
  /** By the text's key; empty where nothing was compiled. */
  readonly compiled: ReadonlyMap<string, Compiled>;
  readonly gemmLike: boolean;
}

export const makeRow = (planned: Planned, compiled: ReadonlyMap<string, Compiled>): Row => ({
  planned,
  compiled,
  gemmLike: isGemmLike(planned),
});

const compiledOf = ({ compiled }: Row, { text }: PlannedDispatch): Compiled | undefined => compiled.get(text.key);

/** Of the dispatch that multiplies. */
export const mainCompiled = (row: Row): Compiled | undefined => compiledOf(row, row.planned.main);

const allCompiled = (row: Row): Compiled[] => row.planned.dispatches.flatMap((step) => compiledOf(row, step) ?? []);

/** Accesses of scratch memory inside loops, of all its dispatches. */
export const scratchInLoops = (row: Row): number =>
  allCompiled(row).reduce((sum, { scratchInLoops: count }) => sum + count, 0);

/** The fewest subgroups that a SIMD holds at any of its dispatches; undefined where the driver does not tell. */
export function fewestWaves(row: Row): number | undefined {
  const waves = allCompiled(row).flatMap(({ waves: count }) => count ?? []);
  return waves.length > 0 ? Math.min(...waves) : undefined;
}

/** The share of a device's arithmetic that the instructions leave, at most: what is needed of what is issued. */
export function issueBound(row: Row): number | undefined {
  const main = mainCompiled(row);
  const share = main && multiplyAddShare(main);
  return share === undefined ? undefined : share * row.planned.usefulShare;
}

export function instructionsEach(row: Row): number | undefined {
  const main = mainCompiled(row);
  return main && instructionsPerMultiplyAdd(main);
}

/** The part of a device that holds so many threads which the main dispatch fills. */
export const fill = ({ planned }: Row, threads: number = THREADS_OF_28): number =>
  Math.min(1, planned.main.threads / threads);

export function geometricMean(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
