/** Holds: what ties tensors to their memory. */
import type { TensorStorage } from "../backend/backend.js";

/** A tensor's hold on its memory. It outlives a tensor that was dropped, so that the memory can be given back. */
export interface Hold {
  readonly shape: readonly number[];
  /** Undefined once the memory is given back. */
  storage: TensorStorage | undefined;
  /** The stack trace of where the tensor was made; undefined unless warnings are wanted. */
  readonly stack: string | undefined;
  /** How many readers the memory must wait for, though the tensor is disposed of: gradients that are still to be computed. */
  readers: number;
  /** Whether the tensor was disposed of meanwhile. */
  isDropped: boolean;
}
