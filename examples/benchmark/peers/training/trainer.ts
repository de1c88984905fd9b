import { OWN_ENGINE } from "../engine.js";

/** ONNX Runtime Web, which has no gradients, is not among them. */
export const TRAINERS = [OWN_ENGINE, "tfjs-webgpu", "jax-js"] as const;

/** What an engine is to the comparison of training: something that repeats one step. */
export interface Trainer {
  readonly name: string;
  /** Whose buffers and dispatches are counted. */
  readonly device: GPUDevice;
  /** Enqueues a step (forward, backward, update) on the batch, which the host hands over anew. Resolves when the next may follow. */
  step(): Promise<void>;
  /** Waits for the losses of all steps so far, and for all they have changed. */
  finish(): Promise<void>;
  /** Of each step, read by {@link finish}. */
  readonly losses: readonly number[];
  /** A parameter's values, in PyTorch's order. */
  read(parameter: string): Promise<Float32Array>;
  /** What a recorded step costs the host; of this engine alone. */
  measureHost?(): Promise<HostCost>;
  /** Gives its memory back. */
  close(): void;
}

/** Of one step, milliseconds. */
export interface HostCost {
  readonly dispatches: number;
  /** The engine's own, within the call that runs a recorded step. */
  readonly recordMs: number;
  /** WebGPU's encoding and the engine's calls of it, from the making of encoders to the calls of `submit`. */
  readonly encodeMs: number;
  /** Within `queue.submit`. */
  readonly submitMs: number;
}
