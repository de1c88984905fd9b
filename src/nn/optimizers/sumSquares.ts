/** Sums of squares of several tensors, in parts. */
import kernel from "../../../shaders/nn/sum_squares.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type BindingSource, type Dispatch, dispatch, foldWorkgroups } from "../../planning/solver.js";
import { elementOf } from "../core/elements.js";
import { inGroups, type Slot, slotGeometry } from "./slots.js";

const MOST = 8;
const ELEMENTS_PER_PARTIAL = 4096;

/** Writes the parts to the scratch memory "partials". */
export function sumSquares(
  tensors: readonly Slot[],
  capabilities: Capabilities,
): { readonly dispatches: Dispatch[]; readonly partials: number } {
  let partials = 0;
  const dispatches = inGroups(tensors, capabilities, { most: MOST, buffers: 1, others: 1 }).map((slots) => {
    const { ends, sizes, workgroups } = slotGeometry(slots, MOST, ELEMENTS_PER_PARTIAL);
    const tensorAt = (i: number): BindingSource => (i < slots.length ? slots[i].tensor : "unused");
    const firstPartial = partials;
    partials += workgroups;
    return dispatch(kernel, {
      constants: {},
      types: { Element: elementOf(slots[0].dtype, capabilities) },
      uniforms: {
        ends: ends.slice(0, 4),
        moreEnds: ends.slice(4),
        sizes: sizes.slice(0, 4),
        moreSizes: sizes.slice(4),
        firstPartial,
      },
      bindings: {
        partials: "partials",
        tensor0: tensorAt(0),
        tensor1: tensorAt(1),
        tensor2: tensorAt(2),
        tensor3: tensorAt(3),
        tensor4: tensorAt(4),
        tensor5: tensorAt(5),
        tensor6: tensorAt(6),
        tensor7: tensorAt(7),
      },
      workgroups: foldWorkgroups(workgroups, capabilities),
    });
  });
  return { dispatches, partials };
}
