/** Tuning: the choices that measuring on this device has made, and their making. */
import type { Backend } from "../backend/backend.js";
import { describeOperation, type ExplainOptions } from "../calls/describeOperation.js";
import { DeviceError, LimitError, require, show, textOf } from "../base/errors.js";
import type { ExplainShapes } from "../calls/explain.js";
import { type ConvOperation, keyOf } from "../problem/operation.js";
import type { OperationName } from "../problem/operationNames.js";
import { Waits } from "../base/waits.js";
import { loadLate } from "../base/late.js";
import { adapterKey, bucketOf } from "./key.js";
import type { TuningReport } from "./measure.js";
import { type Candidate, ownCandidate } from "./ownCandidate.js";
import { oneAtATime } from "./queue.js";
import {
  MOST_ENTRIES,
  readTuningData,
  type TuningData,
  tuningData,
  type TuningEntry,
  type TuningStore,
} from "./store.js";
import type { Verdict } from "./trial.js";

/**
 * When operations are tuned: never, "off", though choices that are known are used; each when it is first called,
 * "first-use"; or when the engine has had nothing to do for a while, "background".
 */
export type TuneMode = "off" | "first-use" | "background";
export const TUNE_MODES: readonly TuneMode[] = ["off", "first-use", "background"];

/** Operations whose tuning fails one after the other before no more are tuned: then it is the device that fails. */
const MOST_FAILURES = 3;
/** The engine has nothing to do when nothing was called for so long. */
const IDLE_MILLISECONDS = 200;

/** Operations whose choice is remembered; then all are looked up anew. */
const MOST_CHOICES = 4096;

/** Lets what waits for its turn, and the device, go first. */
const pause = (milliseconds = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

export interface TuningOptions {
  readonly mode: TuneMode;
  readonly store: TuningStore | undefined;
  readonly warn: (message: string) => void;
}

/** `engine.tuning` */
export class Tuning {
  readonly #backend: Backend;
  readonly #options: TuningOptions;
  /** By adapter and bucket, other devices' included: what is exported is what was imported, and more. */
  readonly #entries = new Map<string, TuningEntry>();
  /** What each operation seen so far is run with; undefined where the model chooses. */
  readonly #choices = new Map<string, Candidate | undefined>();
  /** Operations that were called, and those of them that are to be tuned. */
  readonly #asked = new Set<string>();
  readonly #waiting = new Map<string, ConvOperation>();
  readonly #save: (data: TuningData) => Promise<void>;
  #working: Promise<void> | undefined;
  #lastUse = 0;
  /** Whether operations are no longer tuned by themselves. */
  #givenUp = false;
  readonly #waits = new Waits();

  constructor(backend: Backend, options: TuningOptions) {
    this.#backend = backend;
    this.#options = options;
    // A store of the caller's may throw, or return no promise.
    this.#save = oneAtATime(async (data: TuningData) => await options.store?.save(data));
  }

  /** What was saved before is used from here on. What cannot be read is ignored, with a warning. */
  async load(): Promise<void> {
    const { store, warn } = this.#options;
    try {
      this.#merge(await store?.load(), "stored");
    } catch (error) {
      warn(`stored tuning is ignored: ${textOf(error)}`);
    }
  }

  /** All choices, as plain JSON, to be kept, shipped or imported elsewhere. */
  export(): TuningData {
    return tuningData([...this.#entries.values()]);
  }

  /**
   * Adds choices; of two for the same device and problem the one measured last stays. At most 10,000 are kept, and as many
   * read: the others, broken entries, and those of another revision, are ignored with a warning. A choice is used only
   * where it is one of the solver's own tuning candidates for the operation on this device.
   */
  import(data: unknown): void {
    this.#merge(data, "imported");
  }

  /** Forgets all choices; a store keeps them until something else is tuned. */
  clear(): void {
    this.#entries.clear();
    this.#choices.clear();
    this.#asked.clear();
  }

  /**
   * Measures an operation now, whatever the engine's mode: its candidates against each other, each checked first.
   *
   * @param name of the operation, as the method is called
   * @param shapes the forward pass' `{ input, weight }`, whichever operation is asked about
   * @param options those of the operation, but `solver`; `bias: true` stands for a bias tensor
   * @throws DeviceError on an engine without a GPU, or when the device is lost, or the engine disposed, meanwhile.
   */
  async tune(name: OperationName, shapes: ExplainShapes, options: ExplainOptions = {}): Promise<TuningReport> {
    if (!this.#backend.capabilities) throw new DeviceError("tuning needs a WebGPU device; the CPU has one way only");
    const operation = describeOperation(name, shapes, options);
    require(options.solver === undefined, () => `solver is ${show(options.solver)}; expected none: all are measured`);
    require(operation.problem.batch > 0, () => "the batch is empty; expected at least one sample to measure");
    return await this.#waits.on(this.#tuneOperation(operation, false));
  }

  /** How to run an operation: the tuned choice, or undefined for the model's. */
  choiceFor(operation: ConvOperation, key = keyOf(operation)): Candidate | undefined {
    if (this.#entries.size === 0) return undefined;
    if (!this.#choices.has(key)) {
      if (this.#choices.size >= MOST_CHOICES) this.#choices.clear();
      this.#choices.set(key, this.#usable(operation));
    }
    return this.#choices.get(key);
  }

  /** Likewise, of an operation that is called now: it is tuned, if the mode says so and it is not yet. */
  use(operation: ConvOperation, key = keyOf(operation)): Candidate | undefined {
    const { mode } = this.#options;
    if (mode !== "off") {
      this.#lastUse = performance.now();
      if (!this.#asked.has(key)) {
        this.#asked.add(key);
        if (!this.#entries.has(this.#entryKey(operation))) this.#request(key, operation);
      }
    }
    return this.choiceFor(operation, key);
  }

  /** Resolves when what was asked for is tuned, where callers wait for that. */
  async settled(): Promise<void> {
    if (this.#options.mode === "first-use") await this.#working;
  }

  /** No more measuring: the engine is disposed of. Whoever waits for it is told. */
  stop(): void {
    this.#giveUp();
    this.#waits.end();
  }

  #giveUp(): void {
    this.#givenUp = true;
    this.#waiting.clear();
  }

  /** A stored choice that this operation can use. Its bucket holds others, and a solver that takes them may refuse this one. */
  #usable(operation: ConvOperation): Candidate | undefined {
    const { capabilities } = this.#backend;
    const entry = this.#entries.get(this.#entryKey(operation));
    if (!entry || !capabilities) return undefined;
    return ownCandidate(operation, capabilities, { name: entry.solver, config: entry.config });
  }

  #request(key: string, operation: ConvOperation): void {
    if (this.#givenUp || !this.#backend.capabilities) return;
    this.#waiting.set(key, operation);
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  async #work(): Promise<void> {
    await pause();
    let failures = 0;
    for (const [key, operation] of this.#waiting) {
      if (this.#options.mode === "background") await this.#untilIdle();
      if (this.#givenUp) return;
      this.#waiting.delete(key);
      try {
        await this.#tuneOperation(operation, this.#options.mode === "background");
        failures = 0;
      } catch (error) {
        // What the device cannot hold, the call itself has thrown.
        if (error instanceof LimitError) continue;
        // The caller's own calls meet what ails the device; here it is only said.
        this.#warnOf(error);
        if (++failures === MOST_FAILURES) this.#giveUp();
      }
    }
  }

  #warnOf(error: unknown): void {
    if (!this.#waits.ended) this.#options.warn(`an operation was not tuned: ${textOf(error)}`);
  }

  async #untilIdle(): Promise<void> {
    while (!this.#waits.ended && performance.now() - this.#lastUse < IDLE_MILLISECONDS) await pause(IDLE_MILLISECONDS);
  }

  /** @param patient whether it waits until the engine has nothing else to do */
  async #tuneOperation(operation: ConvOperation, patient: boolean): Promise<TuningReport> {
    const { measure } = await loadLate("the tuner", () => import("./measure.js"));
    const { report, modelMilliseconds } = await measure(this.#backend, operation, async () => {
      await pause();
      if (patient) await this.#untilIdle();
      if (this.#waits.ended) throw new DeviceError("the engine was disposed while it was tuning");
    });
    if (report.winner) this.#keep(operation, report.winner, modelMilliseconds);
    return report;
  }

  #keep(operation: ConvOperation, winner: Verdict, modelMilliseconds: number): void {
    const { name: solver, config, milliseconds = 0 } = winner;
    const key = this.#entryKey(operation);
    const [adapter, problem] = JSON.parse(key) as [string, string];
    const measuredAt = Date.now();
    if (this.#entries.size >= MOST_ENTRIES && !this.#entries.has(key)) {
      const [oldest] = this.#entries.keys();
      this.#entries.delete(oldest);
    }
    this.#entries.set(key, { adapter, problem, solver, config, milliseconds, modelMilliseconds, measuredAt });
    this.#choices.clear();
    const { store, warn } = this.#options;
    if (store)
      this.#save(this.export()).catch((error: unknown) => warn(`tuning could not be stored: ${textOf(error)}`));
  }

  /** @param source of the data, in a word */
  #merge(data: unknown, source: string): void {
    const { entries, ignored } = readTuningData(data);
    let left = 0;
    for (const entry of entries) {
      const key = JSON.stringify([entry.adapter, entry.problem]);
      const known = this.#entries.get(key);
      if (!known && this.#entries.size >= MOST_ENTRIES) left++;
      else if (!known || known.measuredAt <= entry.measuredAt) this.#entries.set(key, entry);
    }
    this.#choices.clear();
    const { warn } = this.#options;
    if (ignored !== undefined) warn(`${source} tuning is ignored: ${ignored}`);
    if (left > 0) warn(`${source} tuning is ignored: ${String(left)} entries beyond ${String(MOST_ENTRIES)}`);
  }

  #entryKey(operation: ConvOperation): string {
    const { adapter, capabilities } = this.#backend;
    const device = capabilities ? adapterKey(adapter, capabilities) : "";
    return JSON.stringify([device, bucketOf(operation)]);
  }
}
