/** Updates several parameters by their gradients. */
import kernel from "../../../shaders/nn/update_parameters.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import {
  type BindingSource,
  type Dispatch,
  dispatch,
  foldWorkgroups,
  type NamedTensor,
} from "../../planning/solver.js";
import { elementOf } from "../core/elements.js";
import type { Rule } from "./rule.js";
import { ELEMENTS_PER_GROUP, inGroups, type Slot, slotGeometry } from "./slots.js";

/** A parameter, and where its state begins in a tensor. */
export interface UpdateSlot extends Slot {
  readonly gradient: NamedTensor;
  readonly place: number;
  readonly decay: number;
}

const MOST = 4;

/**
 * @param state undefined where nothing is kept
 * @param isMaster whether the state's last section is a float32 copy of each parameter
 */
export function updateParameters(
  parameters: readonly UpdateSlot[],
  state: NamedTensor | undefined,
  isMaster: boolean,
  { name, sections, momentum, dampening, nesterov, betas: [beta1, beta2], eps, amsgrad }: Rule,
  capabilities: Capabilities,
): Dispatch[] {
  const isAdam = name !== "sgd";
  return inGroups(parameters, capabilities, { most: MOST, buffers: 2, others: 2 }).map((slots) => {
    const { ends, sizes, workgroups } = slotGeometry(slots, MOST, ELEMENTS_PER_GROUP);
    const parameterAt = (i: number): BindingSource => (i < slots.length ? slots[i].tensor : "unused");
    const gradientAt = (i: number): BindingSource => (i < slots.length ? slots[i].gradient : "unused");
    const all = (valueOf: (slot: UpdateSlot) => number): number[] =>
      sizes.map((_, i) => (i < slots.length ? valueOf(slots[i]) : 0));
    return dispatch(kernel, {
      constants: {
        ADAM: isAdam,
        DECOUPLED: name === "adamw",
        AMSGRAD: amsgrad,
        MOMENTUM: momentum !== 0,
        NESTEROV: nesterov,
        MASTER: isMaster,
        SECTIONS: sections.length,
      },
      types: { Element: elementOf(slots[0].dtype, capabilities) },
      uniforms: {
        ends,
        sizes,
        places: all(({ place }) => place),
        decays: all(({ decay }) => decay),
        factors: isAdam ? [beta1, 1 - beta1, beta2, 1 - beta2] : [momentum, 1 - dampening, 0, 0],
        epsilon: eps,
      },
      bindings: {
        progress: "tensor progress",
        state: state ?? "unused",
        parameter0: parameterAt(0),
        parameter1: parameterAt(1),
        parameter2: parameterAt(2),
        parameter3: parameterAt(3),
        gradient0: gradientAt(0),
        gradient1: gradientAt(1),
        gradient2: gradientAt(2),
        gradient3: gradientAt(3),
      },
      workgroups: foldWorkgroups(workgroups, capabilities),
    });
  });
}
