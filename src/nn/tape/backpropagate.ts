/** Backpropagation: from the last step to the first. What is no longer needed gives its memory back at once. */
import type { Tensor } from "../../tensor/tensor.js";
import { sumOfTwo } from "../operations/elementwise.js";
import type { Gradient, Step } from "./step.js";

/** Gradients by tensor. Several tensors may have the same one: its memory goes with the last of them. */
class Gradients {
  readonly #of = new Map<Tensor, Tensor>();
  readonly #uses = new Map<Tensor, number>();

  get(tensor: Tensor): Gradient {
    return this.#of.get(tensor);
  }

  /** A gradient that flows to a tensor, beside what flows there already. */
  add(tensor: Tensor, gradient: Tensor): void {
    const before = this.#of.get(tensor);
    this.#of.set(tensor, before ? sumOfTwo(before, gradient) : gradient);
    this.hold(this.#of.get(tensor));
    if (before) this.release(before);
  }

  /** The tensor's gradient was passed on. */
  drop(tensor: Tensor): void {
    const gradient = this.#of.get(tensor);
    this.#of.delete(tensor);
    if (gradient) this.release(gradient);
  }

  hold(gradient: Gradient): void {
    if (gradient) this.#uses.set(gradient, (this.#uses.get(gradient) ?? 0) + 1);
  }

  release(gradient: Gradient): void {
    if (!gradient) return;
    const uses = (this.#uses.get(gradient) ?? 1) - 1;
    this.#uses.set(gradient, uses);
    if (uses === 0) gradient.dispose();
  }
}

export interface Backpropagation {
  readonly steps: readonly Step[];
  /** Gradients that begin: of the results. They stay the caller's. */
  readonly seeds: readonly (readonly [Tensor, Tensor])[];
  readonly parameters: readonly Tensor[];
  /** Called with each step once it reads nothing more of what it saved. */
  readonly passed: (step: Step) => void;
}

/** @returns the gradients of the parameters, in their order; undefined where none flows */
export function backpropagate({ steps, seeds, parameters, passed }: Backpropagation): Gradient[] {
  const gradients = new Gradients();
  for (const [tensor, gradient] of seeds) {
    // The caller's hold: it is never given back here.
    gradients.hold(gradient);
    gradients.add(tensor, gradient);
  }
  const wanted = new Set(parameters);
  const dependent = dependentOn(wanted, steps);
  for (const step of [...steps].reverse()) {
    const { outputs, inputs } = step;
    const upstream = outputs.map((output) => gradients.get(output));
    const needed = inputs.map((input) => dependent.has(input));
    if (upstream.some((gradient) => gradient) && needed.includes(true)) {
      const flowing = step.backward(upstream, needed);
      // Until all are passed on: one of them may be that of several inputs.
      for (const gradient of new Set(flowing)) gradients.hold(gradient);
      for (const [i, gradient] of flowing.entries()) if (gradient && needed[i]) gradients.add(inputs[i], gradient);
      for (const gradient of new Set(flowing)) gradients.release(gradient);
    }
    for (const output of outputs) if (!wanted.has(output)) gradients.drop(output);
    passed(step);
  }
  return parameters.map((parameter) => gradients.get(parameter));
}

/** The tensors that are computed from some of these. */
function dependentOn(tensors: ReadonlySet<Tensor>, steps: readonly Step[]): ReadonlySet<Tensor> {
  const dependent = new Set(tensors);
  for (const { inputs, outputs } of steps) {
    if (inputs.some((input) => dependent.has(input))) for (const output of outputs) dependent.add(output);
  }
  return dependent;
}
