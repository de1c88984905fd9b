/** What ties a tensor to its memory. */
import type { TensorStorage } from "../backend/backend.js";

/** A tensor's hold on its memory: it outlives a tensor that was dropped. */
export interface Hold {
  readonly shape: readonly number[];
  /** Undefined once the memory was given back. */
  storage: TensorStorage | undefined;
  /** Where the tensor was made, as the runtime tells it; undefined unless that is wanted. */
  readonly stack: string | undefined;
}
