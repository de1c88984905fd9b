/** Runs a network's code without its work. */
import { Context } from "../../api/context.js";
import { require } from "../../base/errors.js";
import type { Call, Run } from "../../calls/calls.js";
import type { TensorSpec } from "../../planning/tensorOperation.js";
import { Scope } from "../../tensor/lifetimes.js";
import type { Tensor } from "../../tensor/tensor.js";
import { contextOf } from "../core/operation.js";
import type { StepTape } from "../tape/step.js";
import { TraceBackend, type TracedOperation } from "./traceBackend.js";

/** An operation, and the path of the layer that called it. */
export interface TracedStep {
  readonly path: string;
  readonly operation: TracedOperation;
}

/** Knows which layer is at work. */
class TraceTape implements StepTape {
  readonly isRecomputing = false;
  readonly #layers: string[] = [];
  readonly #steps: TracedStep[];
  #draws = 0;

  /** @param steps what ran so far */
  constructor(steps: TracedStep[]) {
    this.#steps = steps;
  }

  get path(): string {
    return this.#layers.filter((name) => name !== "").join(".");
  }

  enter({ name }: { readonly name: string }): void {
    this.#layers.push(name);
  }

  leave(): void {
    this.#layers.pop();
  }

  absorb(layer: { readonly name: string }, { shape }: Tensor): void {
    const before = this.#steps.at(-1);
    this.enter(layer);
    const operation = {
      name: "fused",
      shapes: [shape],
      bytes: 0,
      multiplyAdds: 0,
      receptiveField: before?.operation.receptiveField,
      plan: undefined,
      fusedInto: before?.operation.fusedInto ?? before?.path ?? "",
    };
    this.#steps.push({ path: this.path, operation });
    this.leave();
  }

  runCall(call: Call, shapes: readonly (readonly number[])[] | undefined, run: Run): Tensor[] {
    return run(call, shapes);
  }

  record(): void {
    // There are no gradients.
  }

  draw(): number {
    return this.#draws++;
  }

  checkpoint(compute: () => Tensor): Tensor {
    return compute();
  }

  unrecorded(compute: () => Tensor): Tensor {
    return compute();
  }
}

/**
 * Calls `compute` with a tensor of that shape which has no values, and returns the operations that it would run.
 *
 * @param like a tensor of the engine
 */
export function runTraced(like: Tensor, input: TensorSpec, compute: (x: Tensor) => unknown): readonly TracedStep[] {
  const { core } = contextOf(like, "a parameter");
  require(!core.tape && !core.operands, () =>
    "a tape or a sequence is being recorded; expected to explain before it, or after");
  const { backend, lifetimes } = core;
  const steps: TracedStep[] = [];
  const tape = new TraceTape(steps);
  const trace = new TraceBackend(backend, (operation) => steps.push({ path: tape.path, operation }));
  const scope = new Scope(undefined);
  core.backend = trace.asBackend();
  core.isTracing = true;
  core.tape = tape;
  try {
    lifetimes.within(scope, () => compute(new Context(core).adopt(input.shape, trace.input(input))));
  } finally {
    lifetimes.close(scope);
    core.tape = undefined;
    core.backend = backend;
    core.isTracing = false;
  }
  return steps;
}
