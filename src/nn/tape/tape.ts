/** Tape: records what is computed, and computes gradients from the end to the beginning. */
import type { Engine } from "../../api/engine.js";
import type { EngineCore } from "../../api/engineCore.js";
import { requireRun } from "../../api/recording.js";
import { DISPOSE } from "../../base/dispose.js";
import { require, show } from "../../base/errors.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import type { Call, Run } from "../../calls/calls.js";
import { Scope } from "../../tensor/lifetimes.js";
import { requireTensor, Tensor } from "../../tensor/tensor.js";
import { requireSameShape } from "../../problem/shapes.js";
import { coreOf, showShape } from "../core/operation.js";
import { fullLike } from "../operations/fill.js";
import { backpropagate } from "./backpropagate.js";
import { runRecorded, type Shapes } from "./convolutionSteps.js";
import { ownGradients } from "./ownGradients.js";
import { Reads } from "./reads.js";
import type { Gradient, Step, StepTape } from "./step.js";

/** Parameters, in a list or by name; gradients come in the same form. */
export type Tensors = readonly Tensor[] | Readonly<Record<string, Tensor>>;
export type GradientsOf<Parameters extends Tensors> = { readonly [Name in keyof Parameters]: Tensor };

/** A part of what is recorded. */
interface Segment {
  readonly result: Tensor;
  readonly steps: readonly Step[];
}

export interface GradientOptions {
  /** The gradient of what `gradients` is asked of; ones when absent, for a single value. */
  readonly upstream?: Tensor;
}
const OPTIONS = optionKeys<GradientOptions>({ upstream: 1 }, { tensor: "upstream" });

/**
 * Records operations on an engine's tensors and computes gradients:
 *
 * ```ts
 * const tape = new Tape(engine);
 * const loss = tape.run(() => crossEntropy(model(x), labels));
 * const gradients = tape.gradients(loss, parameters);
 * ```
 *
 * All that is computed in `run` and not returned is the tape's: what no gradient needs is given back when it returns, the rest as
 * soon as {@link gradients} has used it. What `run` returns, and the gradients, are the caller's to dispose of.
 */
export class Tape implements StepTape {
  readonly #core: EngineCore;
  readonly #reads: Reads;
  #steps: Step[] = [];
  readonly #layers: { readonly name: string }[] = [];
  #isRecomputing = false;
  /** How many numbers were given out for what is drawn at random. */
  #draws = 0;

  constructor(engine: Engine) {
    this.#core = coreOf(engine);
    this.#reads = new Reads(this.#core.lifetimes, this);
  }

  /**
   * Calls `compute` and records it. A second run forgets the first.
   *
   * @returns what `compute` returned: a tensor, or what holds tensors
   * @throws whatever `compute` throws: nothing is left of it then. ArgumentError where another tape records on the engine.
   */
  run<Result>(compute: () => Result): Result {
    const core = this.#core;
    const { lifetimes } = core;
    require(typeof compute === "function", () =>
      `compute is ${show(compute)}; expected a function that calls operations`);
    require(!core.tape, () => "a tape records on this engine; expected one at a time, or checkpoint()");
    this.dispose();
    const scope = new Scope(lifetimes.runningScope);
    this.#draws = 0;
    core.tape = this;
    let isDone = false;
    try {
      const result = lifetimes.within(scope, compute);
      requireRun("compute", result);
      lifetimes.keep(scope, result);
      isDone = true;
      return result;
    } finally {
      core.tape = undefined;
      // What gradients read keeps its memory until they have.
      lifetimes.close(scope);
      if (!isDone) this.dispose();
    }
  }

  /**
   * The gradients of a result of {@link run}, once: what the tape holds is given back.
   *
   * @param of a tensor that `run` returned: the loss
   * @param parameters tensors that it was computed from, in a list or by name
   * @returns a gradient for each, of its shape and type, in the same form; zeros where nothing flows to one that was used
   * @throws ArgumentError for tensors that were not recorded, for a loss of several values without an `upstream` gradient.
   */
  gradients<Parameters extends Tensors>(
    of: Tensor,
    parameters: Parameters,
    options?: GradientOptions,
  ): GradientsOf<Parameters>;
  gradients(of: Tensor, parameters: Tensors, options: GradientOptions = {}): Tensors {
    requireOptions(options, OPTIONS);
    const { upstream } = options;
    require(!this.#core.tape, () =>
      "gradients was called while a tape records; expected it after run(compute) has returned");
    require(typeof (parameters as unknown) === "object" &&
      (parameters as unknown) !== null &&
      !Tensor.isTensor(parameters), () => `parameters is ${show(parameters)}; expected tensors in a list, or by name`);
    const entries = Object.entries(parameters);
    this.#requireRecorded(of, entries, upstream);
    const list = entries.map(([, tensor]) => tensor);
    const { lifetimes } = this.#core;
    const work = new Scope(lifetimes.runningScope);
    try {
      const gradients = lifetimes.within(work, () => this.#backpropagate(of, list, upstream));
      lifetimes.keep(work, gradients);
      if (Array.isArray(parameters)) return gradients;
      return Object.fromEntries(entries.map(([name], i) => [name, gradients[i]]));
    } finally {
      lifetimes.close(work);
      this.dispose();
    }
  }

  /** Forgets what was recorded, and gives its memory back. What `run` returned stays the caller's. Twice is harmless. */
  dispose(): void {
    this.#reads.end(this.#steps);
    this.#steps = [];
  }

  [DISPOSE](): void {
    this.dispose();
  }

  /** For the engine's own use: runs a call and records it. */
  runCall(call: Call, shapes: Shapes, run: Run): Tensor[] {
    return runRecorded(call, shapes, run, (step) => this.record(step));
  }

  get isRecomputing(): boolean {
    return this.#isRecomputing;
  }

  /** For {@link checkpoint}. */
  checkpoint(compute: () => Tensor): Tensor {
    const firstDraw = this.#draws;
    const { result, steps } = this.#recordSegment(compute);
    const made = new Set(steps.flatMap(({ outputs }) => outputs));
    const inputs = [...new Set(steps.flatMap((step) => step.inputs))].filter((tensor) => !made.has(tensor));
    this.#reads.end(steps);
    const backward = (dy: Gradient, needed: readonly boolean[]): Gradient[] => {
      if (!dy) return [];
      this.#draws = firstDraw;
      const { steps: again, result: value } = this.#recompute(compute);
      const wanted = inputs.filter((_, i) => needed[i]);
      try {
        const gradients = this.#passBack(again, [value, dy], wanted);
        return inputs.map((tensor) => gradients[wanted.indexOf(tensor)]);
      } finally {
        value.dispose();
      }
    };
    if (inputs.length > 0) {
      this.record({
        name: "checkpoint",
        inputs,
        outputs: [result],
        saved: inputs,
        backward: ([dy], needed) => backward(dy, needed),
      });
    }
    return result;
  }

  /** For operations: numbers what is drawn at random. */
  draw(): number {
    return this.#draws++;
  }

  /** For operations: takes a step. */
  record(step: Step): void {
    const path = this.#layers.map(({ name }) => name).filter((name) => name !== "");
    this.#steps.push(path.length > 0 ? { ...step, layer: path.join(".") } : step);
    this.#reads.begin(step);
  }

  /** For operations of a caller's own. */
  unrecorded(compute: () => Tensor): Tensor {
    const steps = this.#steps;
    this.#steps = [];
    try {
      return compute();
    } finally {
      this.#reads.end(this.#steps);
      this.#steps = steps;
    }
  }

  /** For layers: what is recorded next is this one's. */
  enter(layer: { readonly name: string }): void {
    this.#layers.push(layer);
  }

  leave(): void {
    this.#layers.pop();
  }

  #backpropagate(of: Tensor, parameters: readonly Tensor[], upstream: Tensor | undefined): Tensor[] {
    const seed = upstream ?? fullLike(of, 1);
    const steps = this.#steps;
    this.#steps = [];
    this.#core.readsDropped = true;
    try {
      return ownGradients(this.#core, this.#passBack(steps, [of, seed], parameters), parameters, upstream);
    } finally {
      this.#core.readsDropped = false;
    }
  }

  /** Gradients of parameters. The steps are forgotten, where one throws, too. */
  #passBack(steps: readonly Step[], seed: readonly [Tensor, Tensor], parameters: readonly Tensor[]): Gradient[] {
    const left = new Set(steps);
    const passed = (step: Step): void => {
      left.delete(step);
      this.#reads.end([step]);
    };
    try {
      return backpropagate({ steps, seeds: [seed], parameters, passed });
    } finally {
      this.#reads.end(left);
    }
  }

  #recompute(compute: () => Tensor): Segment {
    this.#isRecomputing = true;
    this.#core.tape = this;
    try {
      return this.#recordSegment(compute);
    } finally {
      this.#core.tape = undefined;
      this.#isRecomputing = false;
    }
  }

  /** What is computed in it and not returned belongs to the segment's own scope. */
  #recordSegment(compute: () => Tensor): Segment {
    const { lifetimes } = this.#core;
    const outer = this.#steps;
    const scope = new Scope(lifetimes.runningScope);
    this.#steps = [];
    try {
      const result = lifetimes.within(scope, compute);
      requireTensor("what the segment returned", result);
      lifetimes.keep(scope, result);
      return { result, steps: this.#steps };
    } catch (error) {
      this.#reads.end(this.#steps);
      throw error;
    } finally {
      lifetimes.close(scope);
      this.#steps = outer;
    }
  }

  #requireRecorded(of: Tensor, parameters: readonly [string, Tensor][], upstream: Tensor | undefined): void {
    requireTensor("the loss", of);
    require(this.#steps.length > 0, () =>
      "nothing is recorded; expected run(compute) before, and gradients once after it");
    require(this.#steps.some(({ outputs }) => outputs.includes(of)), () => {
      return `the loss, of shape ${showShape(of.shape)}, was not recorded; expected a tensor that was computed in run(compute)`;
    });
    require(upstream !== undefined || of.size === 1, () => {
      return `the loss has shape ${showShape(of.shape)}; expected a single value, or its gradient as { upstream }`;
    });
    if (upstream) {
      requireTensor("upstream", upstream);
      requireSameShape("upstream", upstream.shape, of.shape, "the loss'");
    }
    const used = new Set(this.#steps.flatMap(({ inputs }) => inputs));
    const seen = new Map<Tensor, string>();
    for (const [name, tensor] of parameters) {
      requireTensor(`parameter ${name}`, tensor);
      require(used.has(tensor), () => {
        return `parameter ${name}, of shape ${showShape(tensor.shape)}, was not used in run(compute); expected a tensor that the loss was computed from`;
      });
      const before = seen.get(tensor);
      require(before === undefined, () =>
        `parameter ${name} is parameter ${String(before)}; expected each tensor once`);
      seen.set(tensor, name);
    }
  }
}
