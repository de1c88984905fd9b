/** What steps of training have in common: what they are made of, and the recording of forward and backward pass. */
import type { Engine } from "../../api/engine.js";
import { isObject } from "../../base/entries.js";
import { require, show } from "../../base/errors.js";
import { requireTensor, Tensor } from "../../tensor/tensor.js";
import { showShape } from "../core/operation.js";
import type { InputShapes } from "../recorded/inputs.js";
import { Tape } from "../tape/tape.js";

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

/** What a step computes, and what it changes by that. */
export interface StepParts<Name extends string> {
  /** Shapes of what each step gets new values for, by name: `{ x: [16, 1, 28, 28], labels: [16] }`. */
  readonly inputs: InputShapes<Name>;
  /** Computes the loss, a single value, or `{ loss }` with other single values, from the inputs. Called once. */
  readonly compute: (inputs: Readonly<Record<Name, Tensor>>) => Tensor | Metrics;
  /** What is learned, by name: `parametersOf(model, { trainable: true })`. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly optimizer: Updates;
  /** Told the metrics of each step, in order, once they are read. */
  readonly onMetrics?: ((metrics: StepMetrics) => void) | undefined;
}

const valuesIn = (value: unknown): unknown[] => (isObject(value) ? Object.values(value) : []);

export function requireParts({
  inputs,
  compute,
  parameters,
  optimizer,
  onMetrics,
}: Readonly<Partial<Record<keyof StepParts<string>, unknown>>>): void {
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

/**
 * Computes the metrics, and the gradients of the loss, which are given back after `use`.
 *
 * @returns what `use` returns
 */
export function computeGradients<Name extends string, Result>(
  engine: Engine,
  { compute, parameters }: Pick<StepParts<Name>, "compute" | "parameters">,
  inputs: Readonly<Record<Name, Tensor>>,
  use: (metrics: Metrics, gradients: Readonly<Record<string, Tensor>>) => Result,
): Result {
  using tape = new Tape(engine);
  const result = tape.run(() => compute(inputs));
  try {
    const metrics = readMetrics(result);
    const gradients = tape.gradients(metrics.loss, parameters);
    const used = use(metrics, gradients);
    for (const gradient of Object.values(gradients)) gradient.dispose();
    return used;
  } catch (error) {
    for (const value of [result, ...valuesIn(result)]) if (Tensor.isTensor(value)) value.dispose();
    throw error;
  }
}
