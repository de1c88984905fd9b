/** Changes the elements of several tensors in place. */
import kernel from "../../../shaders/nn/adjust_tensors.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type BindingSource, type Dispatch, dispatch, foldWorkgroups } from "../../planning/solver.js";
import { elementOf } from "../core/elements.js";
import { ELEMENTS_PER_GROUP, inGroups, type Slot, slotGeometry } from "./slots.js";

/** "clip": scaled to a norm of at most `limit`; "clamp": each element between -limit and limit; "clear": zeros. */
export type Adjustment =
  | { readonly kind: "clip"; readonly norm: BindingSource; readonly limit: number }
  | { readonly kind: "clamp"; readonly limit: number }
  | { readonly kind: "clear" };

const MOST = 4;

export function adjustTensors(
  tensors: readonly Slot[],
  adjustment: Adjustment,
  capabilities: Capabilities,
): Dispatch[] {
  const { kind } = adjustment;
  return inGroups(tensors, capabilities, { most: MOST, buffers: 1, others: 1 }).map((slots) => {
    const { ends, sizes, workgroups } = slotGeometry(slots, MOST, ELEMENTS_PER_GROUP);
    const tensorAt = (i: number): BindingSource => (i < slots.length ? slots[i].tensor : "unused");
    return dispatch(kernel, {
      constants: { CLAMP: kind === "clamp", CLEAR: kind === "clear" },
      types: { Element: elementOf(slots[0].dtype, capabilities) },
      uniforms: { ends, sizes, limit: kind === "clear" ? 0 : adjustment.limit },
      bindings: {
        norms: kind === "clip" ? adjustment.norm : "unused",
        tensor0: tensorAt(0),
        tensor1: tensorAt(1),
        tensor2: tensorAt(2),
        tensor3: tensorAt(3),
      },
      workgroups: foldWorkgroups(workgroups, capabilities),
    });
  });
}

/** The same on the host: the new values. */
export function adjustOnHost(values: Float32Array | Float64Array, adjustment: Adjustment, norm: number): Float64Array {
  if (adjustment.kind === "clear") return new Float64Array(values.length);
  const { kind, limit } = adjustment;
  const factor = Math.min(1, limit / (norm + 1e-6));
  return Float64Array.from(values, (value) =>
    kind === "clip" ? value * factor : Math.min(Math.max(value, -limit), limit),
  );
}
