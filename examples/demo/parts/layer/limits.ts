/** How far the layer's settings go: small enough to be read number by number. */
import type { PaddingMode } from "webgpu-conv";

export const LIMITS = {
  W: [3, 9],
  C: [1, 4],
  F: [1, 5],
  S: [1, 4],
  P: [0, 3],
  D: [1, 3],
  K: [1, 4],
  pace: [1, 5],
  /** What the visitor's own numbers may be. */
  numbers: [-99, 99],
} as const;

export const MODES: readonly PaddingMode[] = ["zeros", "reflect", "symmetric", "replicate", "circular"];

/** The forward pass, and the gradients of input and weights. */
export const VIEWS = ["forward", "dx", "dw"] as const;
export type View = (typeof VIEWS)[number];
