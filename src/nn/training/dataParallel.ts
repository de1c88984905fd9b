/** Data-parallel training: workers, each with an engine and a network of its own, compute parts of a batch and update alike. */
import type { Engine } from "../../api/engine.js";
import type { Compiled } from "../../api/recording.js";
import { DISPOSE } from "../../base/dispose.js";
import { require, show } from "../../base/errors.js";
import { listOf } from "../../base/list.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { TensorData } from "../../tensor/values.js";
import { coreOf, specOf } from "../core/operation.js";
import { concat, split } from "../operations/concat.js";
import { reshape } from "../operations/reshape.js";
import { readInputs, withInputs } from "../recorded/inputs.js";
import { diagnose, NonFiniteError, type StepRun } from "./diagnose.js";
import { type GradientExchange, meanOf, requireExchange } from "./exchange.js";
import { computeGradients, requireParts, type StepParts } from "./recordedStep.js";

export interface DataParallelOptions<Name extends string> extends StepParts<Name> {
  /** This worker's connection to the others. */
  readonly exchange: GradientExchange;
}
const OPTIONS = optionKeys<DataParallelOptions<string>>({
  inputs: 1,
  compute: 1,
  parameters: 1,
  optimizer: 1,
  onMetrics: 1,
  exchange: 1,
});

/** A metric or a gradient, and where its values are in what is exchanged. */
interface Part {
  readonly name: string;
  readonly kind: "metric" | "gradient";
  readonly shape: readonly number[];
  readonly size: number;
}

/** All parts of one type, behind one another. */
interface Vector {
  readonly parts: readonly Part[];
  readonly size: number;
  /** What the worker computed. */
  readonly own: Tensor;
  /** The mean of all workers. */
  readonly mean: Tensor;
}

/**
 * Records a worker's part of a step: what `compute` computes of its part of the batch, and the gradients of its loss. The mean of all
 * workers' gradients, in the order of ranks, is what the optimizer gets, on each worker alike: networks that begin with the same
 * parameters, on devices of one kind, keep the same bits, those of one engine that adds the parts in that order. With a loss that is a
 * mean and parts of equal size, it is the step of the whole batch.
 *
 * Batch norm sees each worker's part alone, and each has running statistics of its own.
 *
 * @throws as `compileTraining`
 */
export async function compileDataParallel<Name extends string>(
  engine: Engine,
  options: DataParallelOptions<Name>,
): Promise<DataParallelStep<Name>> {
  requireOptions(options, OPTIONS);
  coreOf(engine);
  requireParts(options);
  requireExchange(options.exchange);
  return await withInputs(engine, options.inputs, async (inputs) => {
    const computing = await engine.compile(() => computeVectors(engine, options, inputs));
    const vectors = computing.result.map((vector) => ({ ...vector, mean: zeros(engine, vector.own) }));
    try {
      const updating = await engine.compile(() => update(vectors, options));
      return new DataParallelStep(engine, options, inputs, { computing, updating, vectors });
    } catch (error) {
      computing.dispose();
      for (const { own, mean } of vectors) for (const tensor of [own, mean]) tensor.dispose();
      throw error;
    }
  });
}

const zeros = (engine: Engine, own: Tensor): Tensor =>
  engine.tensor(new Float32Array(own.size), own.shape, { dtype: specOf(own, "gradients").dtype, keep: true });

/** Metrics and gradients, a vector for each type that they have. */
function computeVectors<Name extends string>(
  engine: Engine,
  options: DataParallelOptions<Name>,
  inputs: Readonly<Record<Name, Tensor>>,
): Omit<Vector, "mean">[] {
  return computeGradients(engine, options, inputs, (metrics, gradients) => {
    const named = [
      ...Object.entries<Tensor>(metrics).map(([name, tensor]) => ({ name, kind: "metric", tensor }) as const),
      ...Object.entries(gradients).map(([name, tensor]) => ({ name, kind: "gradient", tensor }) as const),
    ];
    const vectors = [...new Set(named.map(({ tensor }) => tensor.dtype))].map((dtype) => {
      const of = named.filter(({ tensor }) => tensor.dtype === dtype);
      const flat = of.map(({ tensor }) => reshape(tensor, [tensor.size]));
      const own = concat(flat, 0);
      for (const view of flat) view.dispose();
      const parts = of.map(({ name, kind, tensor: { shape, size } }) => ({ name, kind, shape, size }));
      return { parts, size: own.size, own };
    });
    for (const metric of Object.values<Tensor>(metrics)) metric.dispose();
    return vectors;
  });
}

/** The optimizer's step by the means. */
function update<Name extends string>(vectors: readonly Vector[], { optimizer }: DataParallelOptions<Name>): void {
  const gradients: Record<string, Tensor> = {};
  for (const { parts, mean } of vectors) {
    const sizes = parts.map(({ size }) => size);
    for (const [i, flat] of split(mean, sizes, 0).entries()) {
      const { name, kind, shape } = parts[i];
      if (kind === "gradient") gradients[name] = reshape(flat, shape);
      flat.dispose();
    }
  }
  optimizer.step(gradients);
  for (const gradient of Object.values(gradients)) gradient.dispose();
}

interface Recorded {
  readonly computing: Compiled<unknown>;
  readonly updating: Compiled<void>;
  readonly vectors: readonly Vector[];
}

/** A worker's part of a step, to be run again and again. {@link compileDataParallel} makes it. */
export class DataParallelStep<Name extends string> implements Disposable {
  readonly #engine: Engine;
  readonly #options: DataParallelOptions<Name>;
  readonly #inputs: Readonly<Record<Name, Tensor>>;
  readonly #recorded: Recorded;
  #steps = 0;
  #isRunning = false;
  #error: unknown;

  constructor(
    engine: Engine,
    options: DataParallelOptions<Name>,
    inputs: Readonly<Record<Name, Tensor>>,
    recorded: Recorded,
  ) {
    this.#engine = engine;
    this.#options = options;
    this.#inputs = inputs;
    this.#recorded = recorded;
  }

  /** Kernels that a step starts. */
  get dispatches(): number {
    return this.#recorded.computing.dispatches + this.#recorded.updating.dispatches;
  }

  /** Steps that were run. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * Runs a step on this worker's part of the batch, copied before this returns. Resolves once all workers' gradients are there and the
   * update is on its way.
   *
   * @throws ArgumentError for values that do not fit, which nothing comes of; NonFiniteError where the mean loss is NaN or infinite, on
   *   every worker, and nothing was updated; what the exchange rejects with. After the last two no step begins any more: workers may
   *   differ.
   */
  async run(values: Readonly<Record<Name, TensorData>>): Promise<void> {
    if (this.#error !== undefined) throw this.#error as Error;
    require(!this.#isRunning, () => "a step is still running; expected: await step.run(values)");
    const inputs = readInputs(this.#inputs, values);
    this.#isRunning = true;
    try {
      await this.#run({ step: this.#steps + 1, inputs });
    } catch (error) {
      this.#error = error;
      throw error;
    } finally {
      this.#isRunning = false;
    }
  }

  async #run(run: StepRun): Promise<void> {
    const { computing, updating, vectors } = this.#recorded;
    const { parameters, compute, onMetrics } = this.#options;
    const written = Promise.all(run.inputs.map((input) => this.#engine.write(input.tensor, input.values)));
    // Where the run throws, that is the error.
    written.catch(() => undefined);
    computing.run();
    const all = await this.#exchange(joined(await Promise.all(vectors.map(({ own }) => own.data()))));
    await written;
    const mean = meanOf(all);
    const metrics = metricsIn(mean, vectors);
    if (!Number.isFinite(metrics.loss)) {
      const ranks = all.flatMap((values, rank) => (Number.isFinite(metricsIn(values, vectors).loss) ? [] : [rank]));
      const computation = { parameters, compute: () => compute(this.#inputs) };
      throw ranks.includes(this.#options.exchange.rank)
        ? await diagnose(this.#engine, run, metrics.loss, computation)
        : new NonFiniteError(run.step, metrics.loss, { text: `it begins on worker ${ranks.join(", ")}` });
    }
    const means = vectors.map(({ mean: tensor, size }, i) => {
      const before = vectors.slice(0, i).reduce((sum, vector) => sum + vector.size, 0);
      return this.#engine.write(tensor, mean.subarray(before, before + size));
    });
    updating.run();
    await Promise.all(means);
    this.#steps = run.step;
    onMetrics?.({ step: run.step, ...metrics });
  }

  async #exchange(own: Float32Array<ArrayBuffer>): Promise<readonly Float32Array[]> {
    const { exchange } = this.#options;
    // The exchange may take the values' memory with it.
    const { length } = own;
    const all: unknown = await exchange.gather(own);
    const isWhole = (values: unknown): boolean => values instanceof Float32Array && values.length === length;
    const list = listOf(all);
    require(list?.length === exchange.workers && list.every(isWhole), () => {
      return `exchange.gather resolved with ${show(all)}; expected ${String(exchange.workers)} Float32Arrays of ${String(length)} values, by rank`;
    });
    return list as readonly Float32Array[];
  }

  /** Gives back the step's own memory. Parameters stay. Twice is harmless. */
  dispose(): void {
    const { computing, updating, vectors } = this.#recorded;
    computing.dispose();
    updating.dispose();
    const tensors = [...Object.values<Tensor>(this.#inputs), ...vectors.flatMap(({ own, mean }) => [own, mean])];
    for (const tensor of tensors) tensor.dispose();
  }

  [DISPOSE](): void {
    this.dispose();
  }
}

function joined(vectors: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const all = new Float32Array(vectors.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const values of vectors) {
    all.set(values, at);
    at += values.length;
  }
  return all;
}

/** What is no gradient, of values as they are exchanged. */
function metricsIn(values: Float32Array, vectors: readonly Vector[]): { loss: number } & Record<string, number> {
  const metrics: Record<string, number> = {};
  let at = 0;
  for (const { name, kind, size } of vectors.flatMap(({ parts }) => parts)) {
    if (kind === "metric") metrics[name] = values[at];
    at += size;
  }
  return metrics as { loss: number } & Record<string, number>;
}
