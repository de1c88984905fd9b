/** What a tape knows of an operation: how gradients flow back through it. */
import type { CallTape } from "../../api/forwardCore.js";
import { require } from "../../base/errors.js";
import type { Tensor } from "../../tensor/tensor.js";
import { contextOf } from "../core/operation.js";

/** A gradient; undefined where none flows. */
export type Gradient = Tensor | undefined;

/** An operation that was recorded. */
export interface Step {
  /** The path of the layer that it is part of; absent outside layers. The tape says it. */
  readonly layer?: string;
  /** As the caller knows it: "maxPool2d". */
  readonly name: string;
  /** What its gradients are for. */
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** What {@link backward} reads: these keep their memory until then. */
  readonly saved: readonly Tensor[];
  /**
   * Records the gradients of the inputs.
   *
   * @param gradients those of the outputs; at least one of them flows. They are the tape's, and not to be disposed of.
   * @param needed which inputs need one: others may be left out
   * @returns those of the inputs, in their order: new tensors, or one of `gradients` as it is, for one input or several
   */
  backward(gradients: readonly Gradient[], needed: readonly boolean[]): readonly Gradient[];
}

/** A tape that takes steps. */
export interface StepTape extends CallTape {
  /** Whether a checkpoint's segment is computed once more: nothing is to be changed in place that was changed before. */
  readonly isRecomputing: boolean;
  /** Records a segment without what is computed in it, which is computed once more for its gradients. */
  checkpoint(compute: () => Tensor): Tensor;
  record(step: Step): void;
  /** The next number of what is drawn at random in a run, from 0 on; when a segment is computed once more, the same numbers again. */
  draw(): number;
  /** Calls `compute` without recording it. */
  unrecorded(compute: () => Tensor): Tensor;
  /** What is recorded from here on is a layer's, until {@link leave}. */
  enter(layer: { readonly name: string }): void;
  leave(): void;
  /** Of a tape that records no gradients, but what runs: a layer was part of the pass that made y. */
  absorb?(layer: { readonly name: string }, y: Tensor): void;
}

/** What is told of the layers that run on a tensor, whether or not it records gradients; undefined while nothing is. */
export const layerTapeOf = (tensor: Tensor): StepTape | undefined =>
  contextOf(tensor, "tensor").core.tape as StepTape | undefined;

/** The tape that records gradients of what is computed from a tensor; undefined while none does. */
export function tapeOf(tensor: Tensor): StepTape | undefined {
  const tape = layerTapeOf(tensor);
  return tape?.absorb ? undefined : tape;
}

/** Records a step, where a tape records. */
export function recordStep(step: Step): void {
  tapeOf(step.inputs[0])?.record(step);
}

/** Throws while a tape records: what changes tensors in place would change what its gradients read. */
export function requireNoTape(what: string, tensor: Tensor): void {
  require(tapeOf(tensor) === undefined, () =>
    `${what} was called while a tape records; expected it after tape.gradients: it changes in place what the tape's gradients may read`);
}
