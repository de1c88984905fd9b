/** The choices that measuring has made, on this device and others: kept, stored, imported, and found for an operation. */
import type { Backend } from "../backend/backend.js";
import { textOf } from "../base/errors.js";
import type { ConvOperation } from "../problem/operation.js";
import type { ReplaceableChoice } from "../planning/choice.js";
import { adapterKey, bucketOf } from "./key.js";
import { ownCandidate, plannedOn } from "./ownCandidate.js";
import { oneAtATime } from "./queue.js";
import { readVerdicts } from "./readVerdicts.js";
import {
  MOST_ENTRIES,
  readTuningData,
  type TuningData,
  tuningData,
  type TuningEntry,
  type TuningStore,
} from "./store.js";
import type { Verdict } from "./trial.js";

const SAVED_AFTER_MILLISECONDS = 200;
/** Operations whose choice is remembered. Beyond that all are looked up anew. */
const MOST_REMEMBERED = 4096;

export interface ChoiceOptions {
  readonly store: TuningStore | undefined;
  readonly warn: (message: string) => void;
}

export class TunedChoices {
  readonly #backend: Backend;
  readonly #options: ChoiceOptions;
  /** By adapter and bucket, other devices' included: what is exported is what was imported, and more. */
  readonly #entries = new Map<string, TuningEntry>();
  /** By operation's key, what was found for it; undefined where the model chooses. */
  readonly #found = new Map<string, ReplaceableChoice | undefined>();
  /** Whether a save has failed: it is tried again, and said once. */
  #warned = false;
  readonly #save: (data: TuningData) => Promise<void>;

  constructor(backend: Backend, options: ChoiceOptions) {
    this.#backend = backend;
    this.#options = options;
    // A store of the caller's may throw, or return no promise.
    this.#save = oneAtATime(async (data: TuningData) => await options.store?.save(data));
    const { verdicts } = backend;
    if (!verdicts || !options.store) return;
    // Many kernels are first used at once.
    let waiting = false;
    verdicts.onChange = () => {
      if (waiting) return;
      waiting = true;
      setTimeout(() => {
        waiting = false;
        this.#store();
      }, SAVED_AFTER_MILLISECONDS);
    };
  }

  /** Adds what the store has. */
  async load(): Promise<void> {
    const { store, warn } = this.#options;
    try {
      this.add(await store?.load(), "stored");
    } catch (error) {
      warn(`stored tuning is ignored: ${textOf(error)}`);
    }
  }

  /** All of them, as plain JSON. */
  export(): TuningData {
    return tuningData([...this.#entries.values()], this.#backend.verdicts?.export());
  }

  /**
   * Adds choices. Of two for the same device and bucket the one measured last stays. What cannot be read, or is too much, is
   * ignored with a warning.
   *
   * @param source of the data, in a word
   */
  add(data: unknown, source: string): void {
    const { entries, kernels, ignored } = readTuningData(data);
    this.#backend.verdicts?.import(readVerdicts(kernels));
    let left = 0;
    for (const entry of entries) {
      const key = JSON.stringify([entry.adapter, entry.problem]);
      const known = this.#entries.get(key);
      if (!known && this.#entries.size >= MOST_ENTRIES) left++;
      else if (!known || known.measuredAt <= entry.measuredAt) this.#entries.set(key, entry);
    }
    this.#found.clear();
    const { warn } = this.#options;
    if (ignored !== undefined) warn(`${source} tuning is ignored: ${ignored}`);
    if (left > 0) warn(`${source} tuning is ignored: ${String(left)} entries beyond ${String(MOST_ENTRIES)}`);
  }

  clear(): void {
    this.#entries.clear();
    this.#found.clear();
  }

  /** Whether there is a choice for the operation's bucket on this device. */
  has(operation: ConvOperation): boolean {
    return this.#entries.has(this.#entryKey(operation));
  }

  /**
   * The choice for an operation; undefined where the model chooses.
   *
   * @param key `keyOf(operation)`
   */
  find(operation: ConvOperation, key: string): ReplaceableChoice | undefined {
    if (this.#entries.size === 0) return undefined;
    if (!this.#found.has(key)) {
      if (this.#found.size >= MOST_REMEMBERED) this.#found.clear();
      this.#found.set(key, this.#lookUp(operation));
    }
    return this.#found.get(key);
  }

  /** A bucket holds several operations: a solver that takes another one of them may refuse this one. */
  #lookUp(operation: ConvOperation): ReplaceableChoice | undefined {
    const planned = plannedOn(this.#backend);
    const entry = this.#entries.get(this.#entryKey(operation));
    if (!entry || !planned) return undefined;
    const own = ownCandidate(operation, planned, { name: entry.solver, config: entry.config });
    return own && { ...own, replaceable: true };
  }

  /** Keeps what won, and saves all. The oldest leaves where there are too many. */
  keep(operation: ConvOperation, winner: Verdict, modelMilliseconds: number): void {
    const { name: solver, config, milliseconds = 0 } = winner;
    const key = this.#entryKey(operation);
    const [adapter, problem] = JSON.parse(key) as [string, string];
    const measuredAt = Date.now();
    if (this.#entries.size >= MOST_ENTRIES && !this.#entries.has(key)) {
      const [oldest] = this.#entries.keys();
      this.#entries.delete(oldest);
    }
    this.#entries.set(key, { adapter, problem, solver, config, milliseconds, modelMilliseconds, measuredAt });
    this.#found.clear();
    this.#store();
  }

  /** Saves all, where there is a store. */
  #store(): void {
    const { store, warn } = this.#options;
    if (!store) return;
    this.#save(this.export()).catch((error: unknown) => {
      if (!this.#warned) warn(`tuning could not be stored: ${textOf(error)}`);
      this.#warned = true;
    });
  }

  #entryKey(operation: ConvOperation): string {
    const { adapter, capabilities } = this.#backend;
    const device = capabilities ? adapterKey(adapter, capabilities) : "";
    return JSON.stringify([device, bucketOf(operation)]);
  }
}
