/** Tuned choices as data, and where they are kept between page loads or processes. */
import type { VerdictData } from "../backend/kernelFault.js";
import { show } from "../base/errors.js";
import { configRefusal } from "../planning/knobs.js";
import type { SolverConfig } from "../planning/solver.js";
import { SOLVERS } from "../solvers/list.js";
import { VERSION } from "../base/version.js";

/** Choices of other revisions are ignored: raise it when a kernel's speed changes, or a solver's constants. */
export const TUNING_REVISION = 12;
const FORMAT = "webgpu-conv tuning";

/** The best candidate that was found for a bucket of problems on a device. */
export interface TuningEntry {
  readonly adapter: string;
  readonly problem: string;
  readonly solver: string;
  readonly config: SolverConfig;
  /** Of the winner, and of the choice that the model makes without measuring. */
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
  /** Which kernels work where, as trials found it; absent where none was tried. */
  readonly kernels?: VerdictData | undefined;
}

/** Keeps tuned choices, and verdicts about kernels, between page loads or processes: `indexedDbStore()` in pages and workers, `fileStore(path)` in Node. */
export interface TuningStore {
  /** What was saved last; undefined when nothing was. */
  load(): Promise<unknown>;
  /** An engine waits for one save before it asks for the next. */
  save(data: TuningData): Promise<void>;
}

export const tuningData = (entries: readonly TuningEntry[], kernels?: VerdictData): TuningData => ({
  format: FORMAT,
  engine: VERSION,
  revision: TUNING_REVISION,
  entries,
  ...(kernels && { kernels }),
});

/** The most entries that are kept, and that are read at once: networks have some hundreds of layers. */
export const MOST_ENTRIES = 10_000;
/** The longest key of a device or a problem, and the most knobs of a solver. */
const MOST = { characters: 4096, constants: 16 };

/** What is sound of tuning data, and why the rest is ignored. */
export interface ReadData {
  readonly entries: readonly TuningEntry[];
  readonly kernels?: unknown;
  readonly ignored?: string;
}

/** The entries of what a store or a caller gives, at most the first {@link MOST_ENTRIES}, and why others are ignored. */
export function readTuningData(data: unknown): ReadData {
  if (data === undefined || data === null) return { entries: [] };
  const { format, engine, revision, entries, kernels } = data as Partial<TuningData>;
  if (format !== FORMAT || !Array.isArray(entries)) return { entries: [], ignored: "it is no tuning data" };
  if (engine !== VERSION || revision !== TUNING_REVISION) {
    const own = nameOf(VERSION, TUNING_REVISION);
    return { entries: [], ignored: `it is of ${nameOf(engine, revision)}; this is ${own}` };
  }
  const given: readonly unknown[] = entries;
  const { length } = given;
  const read = Math.min(length, MOST_ENTRIES);
  const sound: TuningEntry[] = [];
  /** Why the first entry is refused whose configuration is not its solver's. */
  let reason: string | undefined;
  for (let i = 0; i < read; i++) {
    const entry = readEntry(given[i]);
    const wrong = entry && wrongConfig(entry);
    if (entry && wrong === undefined) sound.push(entry);
    reason ??= wrong;
  }
  const ignored: string[] = [];
  if (sound.length < read) {
    const broken = `${String(read - sound.length)} of its ${String(length)} entries are broken`;
    ignored.push(reason ? `${broken} (${reason})` : broken);
  }
  if (read < length) ignored.push(`of its ${String(length)} entries the first ${String(MOST_ENTRIES)} are read`);
  return { entries: sound, kernels, ...(ignored.length > 0 && { ignored: ignored.join(", ") }) };
}

const nameOf = (engine: unknown, revision: unknown): string => `version ${shown(engine)}, revision ${shown(revision)}`;

/** Strings without quotes, and cut to a bearable length. */
const shown = (value: unknown): string => show(value).replace(/^"|"$/g, "");

const isKey = (value: unknown): value is string => typeof value === "string" && value.length <= MOST.characters;
const isDuration = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0;

/** The entry as plain data, each part read once; undefined where a part is of another kind. */
function readEntry(entry: unknown): TuningEntry | undefined {
  const parts = (entry ?? {}) as Partial<Record<keyof TuningEntry, unknown>>;
  const { adapter, problem, solver, config, milliseconds, modelMilliseconds, measuredAt } = parts;
  if (typeof config !== "object" || config === null || Array.isArray(config)) return undefined;
  const constants = Object.entries(config) as [string, unknown][];
  const isConstant = ([name, value]: [string, unknown]): boolean => isKey(name) && Number.isFinite(value);
  if (constants.length > MOST.constants || !constants.every(isConstant)) return undefined;
  if (!isKey(adapter) || !isKey(problem) || !isKey(solver)) return undefined;
  if (!isDuration(milliseconds) || !isDuration(modelMilliseconds) || !Number.isFinite(measuredAt)) return undefined;
  return {
    adapter,
    problem,
    solver,
    config: Object.fromEntries(constants) as SolverConfig,
    milliseconds,
    modelMilliseconds,
    // An entry of the future would never be replaced.
    measuredAt: Math.min(measuredAt as number, Date.now()),
  };
}

/** Why the configuration is of no solver of that name; undefined where it is of one. */
function wrongConfig({ solver, config }: TuningEntry): string | undefined {
  const refusals = SOLVERS.filter(({ name }) => name === solver).map((named) => configRefusal(named, config));
  return refusals.includes(undefined) ? undefined : (refusals[0] ?? `there is no solver ${show(solver)}`);
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
