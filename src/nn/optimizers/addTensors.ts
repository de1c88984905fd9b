/** Adds several tensors to others in place. */
import kernel from "../../../shaders/nn/add_tensors.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import {
  type BindingSource,
  type Dispatch,
  dispatch,
  foldWorkgroups,
  type NamedTensor,
} from "../../planning/solver.js";
import { elementOf } from "../core/elements.js";
import { ELEMENTS_PER_GROUP, inGroups, type Slot, slotGeometry } from "./slots.js";

/** A sum, and what is added to it. */
export interface AddSlot extends Slot {
  readonly term: NamedTensor;
}

const MOST = 4;

export function addTensors(pairs: readonly AddSlot[], capabilities: Capabilities): Dispatch[] {
  return inGroups(pairs, capabilities, { most: MOST, buffers: 2, others: 0 }).map((slots) => {
    const { ends, sizes, workgroups } = slotGeometry(slots, MOST, ELEMENTS_PER_GROUP);
    const sumAt = (i: number): BindingSource => (i < slots.length ? slots[i].tensor : "unused");
    const termAt = (i: number): BindingSource => (i < slots.length ? slots[i].term : "unused");
    return dispatch(kernel, {
      constants: {},
      types: { Element: elementOf(slots[0].dtype, capabilities) },
      uniforms: { ends, sizes },
      bindings: {
        sum0: sumAt(0),
        sum1: sumAt(1),
        sum2: sumAt(2),
        sum3: sumAt(3),
        term0: termAt(0),
        term1: termAt(1),
        term2: termAt(2),
        term3: termAt(3),
      },
      workgroups: foldWorkgroups(workgroups, capabilities),
    });
  });
}
