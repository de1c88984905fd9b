/** The norm of several tensors as one vector. */
import kernel from "../../../shaders/nn/vector_norm.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type BindingSource, dispatch, type Steps } from "../../planning/solver.js";
import type { Numbers } from "../../planning/tensorOperation.js";
import type { Slot } from "./slots.js";
import { sumSquares } from "./sumSquares.js";

/** The steps that write the norm of all elements to `norm`. */
export function vectorNorm(tensors: readonly Slot[], norm: BindingSource, capabilities: Capabilities): Steps {
  const { dispatches, partials } = sumSquares(tensors, capabilities);
  const root = dispatch(kernel, {
    constants: {},
    types: {},
    uniforms: { count: partials },
    bindings: { partials: "partials", norm },
    workgroups: [1, 1, 1],
  });
  return { dispatches: [...dispatches, root], scratchBytes: { partials: 4 * partials } };
}

/** The same on the host. */
export function normOnHost(tensors: readonly Numbers[]): number {
  let sum = 0;
  for (const values of tensors) for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}
