/** Tuning: when operations are measured, and what a caller sees of it. */
import type { Backend } from "../backend/backend.js";
import { DeviceError, DeviceLostError, LimitError, require, show, textOf } from "../base/errors.js";
import { loadLazily } from "../base/lazy.js";
import { Waits } from "../base/waits.js";
import { describeOperation, type ExplainOptions } from "../calls/describeOperation.js";
import type { ExplainShapes } from "../calls/explain.js";
import { type ConvOperation, keyOf } from "../problem/operation.js";
import type { OperationName } from "../problem/operationNames.js";
import { type ChoiceOptions, TunedChoices } from "./choices.js";
import type { TuningReport } from "./measure.js";
import type { Candidate } from "./ownCandidate.js";
import type { TuningData } from "./store.js";

/**
 * When operations are tuned: never, "off", though choices that are known are used; each when it is first called,
 * "first-use"; or when the engine has had nothing to do for a while, "background".
 */
export type TuneMode = "off" | "first-use" | "background";
export const TUNE_MODES: readonly TuneMode[] = ["off", "first-use", "background"];

/** Failures in a row after which no more operations are tuned: then it is the device that fails. */
const MOST_FAILURES = 3;
/** The engine has nothing to do when nothing was called for so long. */
const IDLE_MILLISECONDS = 200;

/** Lets what waits for its turn, and the device, go first. */
const pause = (milliseconds = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

export interface TuningOptions extends ChoiceOptions {
  readonly mode: TuneMode;
}

/** `engine.tuning` */
export class Tuning {
  readonly #backend: Backend;
  readonly #options: TuningOptions;
  readonly #choices: TunedChoices;
  /** Keys of the operations that were called. */
  readonly #called = new Set<string>();
  /** Operations that are to be tuned, by their keys. */
  readonly #waiting = new Map<string, ConvOperation>();
  #working: Promise<void> | undefined;
  #lastUse = 0;
  /** Whether operations are no longer tuned by themselves. */
  #givenUp = false;
  readonly #waits = new Waits();

  constructor(backend: Backend, options: TuningOptions) {
    this.#backend = backend;
    this.#options = options;
    this.#choices = new TunedChoices(backend, options);
  }

  /** What was saved before is used from here on. What cannot be read is ignored, with a warning. */
  async load(): Promise<void> {
    await this.#choices.load();
  }

  /** All choices, as plain JSON, to be kept, shipped or imported elsewhere. */
  export(): TuningData {
    return this.#choices.export();
  }

  /**
   * Adds choices; of two for the same device and problem the one measured last stays. At most 10,000 are kept, and as many
   * read: the others, broken entries, and those of another revision, are ignored with a warning. A choice is used only
   * where it is one of the solver's own tuning candidates for the operation on this device.
   */
  import(data: unknown): void {
    this.#choices.add(data, "imported");
  }

  /** Forgets all choices; a store keeps them until something else is tuned. */
  clear(): void {
    this.#choices.clear();
    this.#called.clear();
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
    return this.#choices.find(operation, key);
  }

  /** Likewise, of an operation that is called now. It is tuned where the mode says so, and no choice is known. */
  use(operation: ConvOperation, key = keyOf(operation)): Candidate | undefined {
    if (this.#options.mode !== "off") {
      this.#lastUse = performance.now();
      if (!this.#called.has(key)) {
        this.#called.add(key);
        if (!this.#choices.has(operation)) this.#request(key, operation);
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

  #request(key: string, operation: ConvOperation): void {
    if (this.#givenUp || !this.#backend.capabilities) return;
    this.#waiting.set(key, operation);
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  /** Tunes what waits, one after the other. */
  async #work(): Promise<void> {
    await pause();
    const isPatient = this.#options.mode === "background";
    let failures = 0;
    for (const [key, operation] of this.#waiting) {
      if (isPatient) await this.#untilIdle();
      if (this.#givenUp) return;
      this.#waiting.delete(key);
      try {
        await this.#tuneOperation(operation, isPatient);
        failures = 0;
      } catch (error) {
        // What the device cannot hold, the call itself has thrown.
        if (error instanceof LimitError) continue;
        // Once more on another device, if the engine gets one. Where it does not, that fails as well.
        if (error instanceof DeviceLostError) this.#waiting.set(key, operation);
        // The caller's own calls throw what is wrong with the device. Here it is a warning.
        if (!this.#waits.ended) this.#options.warn(`an operation was not tuned: ${textOf(error)}`);
        if (++failures === MOST_FAILURES) this.#giveUp();
      }
    }
  }

  async #untilIdle(): Promise<void> {
    while (!this.#waits.ended && performance.now() - this.#lastUse < IDLE_MILLISECONDS) await pause(IDLE_MILLISECONDS);
  }

  /** @param isPatient whether it waits until the engine has nothing else to do */
  async #tuneOperation(operation: ConvOperation, isPatient: boolean): Promise<TuningReport> {
    const { measure } = await loadLazily("the tuner", () => import("./measure.js"));
    const { report, modelMilliseconds } = await measure(this.#backend, operation, async () => {
      await pause();
      if (isPatient) await this.#untilIdle();
      if (this.#waits.ended) throw new DeviceError("the engine was disposed while it was tuning");
    });
    if (report.winner) this.#choices.keep(operation, report.winner, modelMilliseconds);
    return report;
  }
}
