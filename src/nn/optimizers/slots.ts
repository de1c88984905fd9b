/** Dispatches that go through several tensors: as many as the device binds at once, and the kernel declares. */
import type { Capabilities } from "../../planning/capabilities.js";
import type { NamedTensor } from "../../planning/solver.js";
import type { DType } from "../../problem/dtype.js";

/** Threads of a workgroup times elements of a thread, in kernels that change tensors element by element. */
export const ELEMENTS_PER_GROUP = 256;

/** A tensor of an operation, by the name that dispatches bind. */
export interface Slot {
  readonly tensor: NamedTensor;
  readonly size: number;
  readonly dtype: DType;
}

/** How the tensors of one dispatch divide its workgroups. */
export interface SlotGeometry {
  /** The workgroup behind the last one of each; of slots without a tensor the last of all. */
  readonly ends: number[];
  /** Elements; 0 of slots without a tensor. */
  readonly sizes: number[];
  readonly workgroups: number;
}

export function slotGeometry(slots: readonly { size: number }[], most: number, elementsPerGroup: number): SlotGeometry {
  const ends: number[] = [];
  const sizes: number[] = [];
  let workgroups = 0;
  for (let i = 0; i < most; i++) {
    const size = i < slots.length ? slots[i].size : 0;
    workgroups += Math.ceil(size / elementsPerGroup);
    ends.push(workgroups);
    sizes.push(size);
  }
  return { ends, sizes, workgroups };
}

/**
 * The tensors in groups for a dispatch each: neighbours of one element type.
 *
 * @param most slots of the kernel
 * @param buffers storage buffers that a slot takes
 * @param others storage buffers that the dispatch takes besides
 */
export function inGroups<One extends { readonly dtype: DType }>(
  tensors: readonly One[],
  { limits }: Capabilities,
  { most, buffers, others }: { readonly most: number; readonly buffers: number; readonly others: number },
): One[][] {
  const bindable = Math.floor((limits.maxStorageBuffersPerShaderStage - others) / buffers);
  const size = Math.max(1, Math.min(most, bindable));
  const groups: One[][] = [];
  for (const tensor of tensors) {
    const last = groups.at(-1);
    if (last && last.length < size && last[0].dtype === tensor.dtype) last.push(tensor);
    else groups.push([tensor]);
  }
  return groups;
}
