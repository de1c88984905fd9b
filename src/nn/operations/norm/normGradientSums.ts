/** The sums that gradients of a normalisation need, over cells of a tensor. */
import kernel from "../../../../shaders/nn/norm_gradient_sums.wgsl";
import type { Capabilities } from "../../../planning/capabilities.js";
import { type BindingSource, type Dispatch, dispatch } from "../../../planning/solver.js";
import { named } from "../../../planning/tensorOperation.js";
import { elementOf } from "../../core/elements.js";
import { termBindings, type GradientTerms } from "./gradientTerms.js";
import { shapeConstants, shapeFields, termConstants } from "./normShape.js";
import type { SetWalk } from "./setWalk.js";

/** Members that a thread takes at a time, as in the kernel. */
export const SUM_BLOCK = 4;

export interface CellSums {
  /** Through cells as if these were the sets. */
  readonly walk: SetWalk;
  /** Cells have one channel. */
  readonly fixedChannel: boolean;
  /** Cells lie in one set. */
  readonly fixedSet: boolean;
  /** Terms have the channel's weight as a factor. */
  readonly weighted: boolean;
  /** Where dy before the activation goes, if it is wanted. */
  readonly residualGradient: BindingSource | undefined;
}

export function normGradientSums(
  terms: GradientTerms,
  { walk, fixedChannel, fixedSet, weighted, residualGradient }: CellSums,
  partials: BindingSource,
  capabilities: Capabilities,
): Dispatch {
  const { shape, dtype, parts, activation } = terms;
  return dispatch(kernel, {
    constants: {
      ...shapeConstants(shape),
      ...termConstants(parts, activation),
      ...walk.constants,
      FIXED_CHANNEL: fixedChannel,
      FIXED_SET: fixedSet,
      WEIGHTED: weighted && parts.weight,
      WRITES_GRADIENT: residualGradient !== undefined,
    },
    types: { Element: elementOf(dtype, capabilities) },
    uniforms: { extents: walk.extents, counts: walk.counts, tasks: walk.tasks, shape: shapeFields(shape) },
    bindings: {
      ...termBindings(terms, weighted),
      x: named("x"),
      partials,
      residualGradient: residualGradient ?? "unused",
    },
    workgroups: walk.workgroups,
  });
}
