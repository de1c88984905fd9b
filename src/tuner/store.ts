/** Tuned choices as data, and where they are kept between visits. */
import type { SolverConfig } from "../solver.js";
import { VERSION } from "../version.js";

/** Choices of other revisions are ignored: raise it when a kernel's speed changes, or a solver's constants. */
export const TUNING_REVISION = 6;
const FORMAT = "webgpu-conv tuning";

/** The best that was found for a bucket of problems on a device. */
export interface TuningEntry {
  readonly adapter: string;
  readonly problem: string;
  readonly solver: string;
  readonly config: SolverConfig;
  /** Of the winner, and of what would have been chosen without measuring. */
  readonly milliseconds: number;
  readonly modelMilliseconds: number;
  /** When it was measured, as `Date.now()` gives it. */
  readonly measuredAt: number;
}

/** What `engine.tuning.export()` gives: plain JSON. */
export interface TuningData {
  readonly format: string;
  /** Version of the library that measured, and revision of its solvers. */
  readonly engine: string;
  readonly revision: number;
  readonly entries: readonly TuningEntry[];
}

/** Keeps tuned choices between visits: `indexedDbStore()` in pages and workers, `fileStore(path)` in Node. */
export interface TuningStore {
  /** What was saved last; undefined when nothing was. */
  load(): Promise<unknown>;
  save(data: TuningData): Promise<void>;
}

export const tuningData = (entries: readonly TuningEntry[]): TuningData => ({
  format: FORMAT,
  engine: VERSION,
  revision: TUNING_REVISION,
  entries,
});

/** The entries of what a store or a caller gives; or why there are none to be had. */
export function readTuningData(data: unknown): { readonly entries: readonly TuningEntry[]; readonly ignored?: string } {
  if (data === undefined || data === null) return { entries: [] };
  const { format, engine, revision, entries } = data as Partial<TuningData>;
  if (format !== FORMAT || !Array.isArray(entries)) return { entries: [], ignored: "it is no tuning data" };
  if (engine !== VERSION || revision !== TUNING_REVISION) {
    const own = nameOf(VERSION, TUNING_REVISION);
    return { entries: [], ignored: `it is of ${nameOf(engine, revision)}; this is ${own}` };
  }
  const sound = entries.filter(isEntry);
  if (sound.length === entries.length) return { entries: sound };
  const broken = entries.length - sound.length;
  return { entries: sound, ignored: `${String(broken)} of its ${String(entries.length)} entries are broken` };
}

const nameOf = (engine: unknown, revision: unknown): string =>
  `version ${String(engine)}, revision ${String(revision)}`;

function isEntry(entry: Partial<Record<keyof TuningEntry, unknown>> | null | undefined): entry is TuningEntry {
  const { adapter, problem, solver, config, milliseconds, modelMilliseconds, measuredAt } = entry ?? {};
  if (typeof config !== "object" || config === null) return false;
  const constants: readonly unknown[] = Object.values(config);
  const numbers = [milliseconds, modelMilliseconds, measuredAt, ...constants];
  const words = [adapter, problem, solver];
  return words.every((word) => typeof word === "string") && numbers.every((value) => Number.isFinite(value));
}

/** Keeps tuned choices while the page, or the process, lives. */
export function memoryStore(): TuningStore {
  let kept: TuningData | undefined;
  return {
    load: () => Promise.resolve(kept),
    save: (data) => {
      kept = data;
      return Promise.resolve();
    },
  };
}
