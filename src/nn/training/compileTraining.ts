/** Steps of training, recorded once and replayed: forward, backward and the optimizer's update in one submission. */
import type { Engine } from "../../api/engine.js";
import type { Compiled } from "../../api/recording.js";
import { DISPOSE } from "../../base/dispose.js";
import { DeviceError, show } from "../../base/errors.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { requireInteger } from "../../problem/geometry.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { TensorData } from "../../tensor/values.js";
import { coreOf } from "../core/operation.js";
import { readInputs, withInputs } from "../recorded/inputs.js";
import { diagnose, type StepRun } from "./diagnose.js";
import { computeGradients, type Metrics, requireParts, type StepParts } from "./recordedStep.js";

export interface TrainingOptions<Name extends string> extends StepParts<Name> {
  /** Steps that may be under way before {@link TrainingStep.run} waits. 3 when absent. */
  readonly inFlight?: number | undefined;
}
const OPTIONS = optionKeys<TrainingOptions<string>>({
  inputs: 1,
  compute: 1,
  parameters: 1,
  optimizer: 1,
  onMetrics: 1,
  inFlight: 1,
});

/**
 * Records a step of training: what `compute` computes, the gradients of its loss, and the optimizer's update. Waits for kernels that
 * still compile. Nothing of it has run yet.
 *
 * @throws whatever `compute` throws; ArgumentError for metrics that are not single values; DeviceError on an engine without a GPU.
 */
export async function compileTraining<Name extends string>(
  engine: Engine,
  options: TrainingOptions<Name>,
): Promise<TrainingStep<Name>> {
  requireOptions(options, OPTIONS);
  const { inputs, optimizer, inFlight = 3 } = options;
  coreOf(engine);
  requireParts(options);
  requireInteger("inFlight", inFlight, 1);
  return await withInputs(engine, inputs, async (made) => {
    const record = (): Metrics =>
      computeGradients(engine, options, made, (metrics, gradients) => {
        optimizer.step(gradients);
        return metrics;
      });
    return new TrainingStep(engine, options, made, await engine.compile(record));
  });
}

/** A step of training, to be run again and again. {@link compileTraining} makes it. */
export class TrainingStep<Name extends string> implements Disposable {
  readonly #engine: Engine;
  readonly #options: TrainingOptions<Name>;
  readonly #inputs: Readonly<Record<Name, Tensor>>;
  readonly #compiled: Compiled<Metrics>;
  /** Steps whose metrics are not read yet, in order. */
  readonly #pending = new Set<Promise<void>>();
  #steps = 0;
  #error: unknown;
  /** Whether a loss was no number, from before it is known where that began. */
  #isStopped = false;

  constructor(
    engine: Engine,
    options: TrainingOptions<Name>,
    inputs: Readonly<Record<Name, Tensor>>,
    compiled: Compiled<Metrics>,
  ) {
    this.#engine = engine;
    this.#options = options;
    this.#inputs = inputs;
    this.#compiled = compiled;
  }

  /** Kernels that a step starts. */
  get dispatches(): number {
    return this.#compiled.dispatches;
  }

  /** Steps that were run. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * Runs a step on new values, copied before this returns: one submission, and one more for each metric beside the loss. Resolves as
   * soon as the next one may be run, which is not when this one is done: metrics come by `onMetrics`.
   *
   * @throws NonFiniteError once the loss of a step was NaN or infinite; whatever `onMetrics` threw. No step begins from then on.
   */
  async run(values: Readonly<Record<Name, TensorData>>): Promise<void> {
    if (this.#isStopped) await this.finish();
    this.#requireSound();
    const inputs = readInputs(this.#inputs, values);
    const written = Promise.all(inputs.map((input) => this.#engine.write(input.tensor, input.values)));
    // Where the run throws, that is the error.
    written.catch(() => undefined);
    this.#compiled.run();
    const step = ++this.#steps;
    const entries = Object.entries<Tensor>(this.#compiled.result);
    const reads = entries.map(async ([name, tensor]) => [name, (await tensor.data())[0]] as const);
    const before = [...this.#pending].at(-1);
    const reading = this.#read({ step, inputs }, Promise.all(reads), before);
    this.#pending.add(reading);
    void reading.then(() => this.#pending.delete(reading));
    await written;
    while (this.#pending.size >= (this.#options.inFlight ?? 3)) await Promise.race(this.#pending);
    this.#requireSound();
  }

  /** Waits for all steps. Throws as {@link run} does. */
  async finish(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    this.#requireSound();
  }

  /** Gives back the step's own memory, that of its inputs and metrics. Parameters stay. Twice is harmless. */
  dispose(): void {
    this.#compiled.dispose();
    for (const tensor of Object.values<Tensor>({ ...this.#inputs, ...this.#compiled.result })) tensor.dispose();
  }

  [DISPOSE](): void {
    this.dispose();
  }

  #requireSound(): void {
    if (this.#error === undefined) return;
    throw this.#error instanceof Error ? this.#error : new DeviceError(show(this.#error));
  }

  /** Never rejects. */
  async #read(
    run: StepRun,
    values: Promise<(readonly [string, number])[]>,
    before: Promise<void> | undefined,
  ): Promise<void> {
    try {
      const metrics = Object.fromEntries(await values) as Record<string, number> & { loss: number };
      await before;
      if (this.#error !== undefined) return;
      if (!Number.isFinite(metrics.loss)) {
        // No other step may change anything from here on.
        this.#isStopped = true;
        const { parameters, compute } = this.#options;
        throw await diagnose(this.#engine, run, metrics.loss, { parameters, compute: () => compute(this.#inputs) });
      }
      this.#options.onMetrics?.({ step: run.step, ...metrics });
    } catch (error) {
      this.#error ??= error;
    }
  }
}
