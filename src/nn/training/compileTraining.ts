/** Steps of training, recorded once and replayed: forward, backward and the optimizer's update in one submission. */
import type { Engine } from "../../api/engine.js";
import type { Compiled } from "../../api/recording.js";
import { DISPOSE } from "../../base/dispose.js";
import { DeviceError, require, show } from "../../base/errors.js";
import { listOf, type NumberList } from "../../base/list.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import type { StoredValues } from "../../problem/dtype.js";
import { product, requireInteger } from "../../problem/geometry.js";
import { readExtents } from "../../problem/shapes.js";
import { requireTensor, Tensor } from "../../tensor/tensor.js";
import { readValues, type TensorData } from "../../tensor/values.js";
import { coreOf, showShape } from "../core/operation.js";
import { Tape } from "../tape/tape.js";
import { diagnose, type StepRun } from "./diagnose.js";

/** What changes parameters by their gradients, in place. */
export interface Updates {
  step(gradients: Readonly<Record<string, Tensor>>): void;
}

/** Single values that a step computes; the one named "loss" is what gradients are of. */
export type Metrics = { readonly loss: Tensor } & Readonly<Record<string, Tensor>>;

/** Those values, once they are read. */
export interface StepMetrics {
  /** Of the step: 1 for the first. */
  readonly step: number;
  readonly loss: number;
  readonly [metric: string]: number;
}

export interface TrainingOptions<Name extends string> {
  /** Shapes of what each step gets new values for, by name: `{ x: [16, 1, 28, 28], labels: [16] }`. */
  readonly inputs: Readonly<Record<Name, NumberList>>;
  /** Computes the loss, a single value, or `{ loss }` with other single values, from the inputs. Called once. */
  readonly compute: (inputs: Readonly<Record<Name, Tensor>>) => Tensor | Metrics;
  /** What is learned, by name: `parametersOf(model, { trainable: true })`. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly optimizer: Updates;
  /** Told the metrics of each step, in order, once they are read. */
  readonly onMetrics?: ((metrics: StepMetrics) => void) | undefined;
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
  const { inputs, compute, parameters, optimizer, inFlight = 3 } = options;
  coreOf(engine);
  requireParts(options);
  requireInteger("inFlight", inFlight, 1);
  const made: Record<string, Tensor> = {};
  try {
    for (const [name, list] of Object.entries<NumberList>(inputs)) {
      const shape = readExtents(name, listOf(list) ?? [list], true);
      made[name] = engine.tensor(new Float32Array(product(shape)), shape, { keep: true });
    }
    const record = (): Metrics => {
      using tape = new Tape(engine);
      const result = tape.run(() => compute(made as Record<Name, Tensor>));
      try {
        const metrics = readMetrics(result);
        const gradients = tape.gradients(metrics.loss, parameters);
        optimizer.step(gradients);
        for (const gradient of Object.values(gradients)) gradient.dispose();
        return metrics;
      } catch (error) {
        for (const value of [result, ...valuesIn(result)]) if (Tensor.isTensor(value)) value.dispose();
        throw error;
      }
    };
    return new TrainingStep(engine, options, made as Record<Name, Tensor>, await engine.compile(record));
  } catch (error) {
    for (const tensor of Object.values(made)) tensor.dispose();
    throw error;
  }
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

const valuesIn = (value: unknown): unknown[] => (isObject(value) ? Object.values(value) : []);

function requireParts({
  inputs,
  compute,
  parameters,
  optimizer,
  onMetrics,
}: Readonly<Partial<Record<keyof TrainingOptions<string>, unknown>>>): void {
  require(isObject(inputs), () =>
    `inputs is ${show(inputs)}; expected shapes by name: { x: [16, 1, 28, 28], labels: [16] }`);
  require(typeof compute === "function", () => `compute is ${show(compute)}; expected a function of the inputs`);
  require(isObject(parameters) && !Tensor.isTensor(parameters), () =>
    `parameters is ${show(parameters)}; expected tensors by name: parametersOf(model, { trainable: true })`);
  require(isObject(optimizer) && "step" in optimizer && typeof optimizer.step === "function", () =>
    `optimizer is ${show(optimizer)}; expected one with step(gradients): sgd(engine, parameters, { lr: 0.1 })`);
  require(onMetrics === undefined || typeof onMetrics === "function", () =>
    `onMetrics is ${show(onMetrics)}; expected a function of the metrics`);
}

function readMetrics(result: Tensor | Metrics): Metrics {
  const metrics = Tensor.isTensor(result) ? { loss: result } : result;
  require(isObject(metrics) && "loss" in metrics, () => {
    return `compute returned ${show(result)}; expected the loss, a tensor, or { loss } with other metrics`;
  });
  require(!("step" in metrics), () =>
    "compute returned a metric named step; expected another name: it is the number of the step in what onMetrics gets");
  for (const [name, tensor] of Object.entries<Tensor>(metrics)) {
    requireTensor(name, tensor);
    require(tensor.size === 1, () => `${name} has shape ${showShape(tensor.shape)}; expected a single value`);
  }
  return metrics;
}

/** Throws for values that do not fit: nothing has happened then. The caller may change them afterwards. */
const copyOf = (name: string, data: TensorData, { shape }: Tensor): StoredValues =>
  readValues(name, data, shape, "float32", {}, true);

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
    const names = Object.keys(this.#inputs) as Name[];
    require(isObject(values), () => `run() got ${show(values)}; expected values by name: { ${names.join(", ")} }`);
    for (const name of names) {
      require(name in values, () => `run() lacks values for ${name}; expected ${names.join(", ")}`);
    }
    const inputs = names.map((name) => {
      const tensor = this.#inputs[name];
      return { name, tensor, values: copyOf(name, values[name], tensor) };
    });
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
