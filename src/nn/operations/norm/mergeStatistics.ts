/** Statistics of sets from those of their splits. */
import kernel from "../../../../shaders/nn/merge_statistics.wgsl";
import type { Capabilities } from "../../../planning/capabilities.js";
import { type BindingSource, type Dispatch, dispatch, foldWorkgroups } from "../../../planning/solver.js";
import { named } from "../../../planning/tensorOperation.js";
import type { DType } from "../../../problem/dtype.js";
import { elementOf } from "../../core/elements.js";
import type { SetWalk } from "./setWalk.js";

/** How statistics are finished. */
export interface Finish {
  readonly constants: { readonly HAS_RUNNING: boolean };
  readonly uniforms: { readonly eps: number; readonly momentum: readonly number[] };
  readonly bindings: {
    readonly statistics: BindingSource;
    readonly runningMean: BindingSource;
    readonly runningVariance: BindingSource;
  };
}

export const mergeStatistics = (walk: SetWalk, dtype: DType, finish: Finish, capabilities: Capabilities): Dispatch =>
  dispatch(kernel, {
    constants: finish.constants,
    types: { Element: elementOf(dtype, capabilities) },
    uniforms: { ...finish.uniforms, extents: walk.extents, counts: walk.counts, splits: walk.splits },
    bindings: { ...finish.bindings, x: named("x"), partials: "partials" },
    workgroups: foldWorkgroups(walk.sets, capabilities),
  });
