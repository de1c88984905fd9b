/** Mean and variance of each set of a tensor, in one or two dispatches. */
import kernel from "../../../../shaders/nn/norm_statistics.wgsl";
import type { Capabilities } from "../../../planning/capabilities.js";
import { type BindingSource, type Dispatch, dispatch, type Steps } from "../../../planning/solver.js";
import { named } from "../../../planning/tensorOperation.js";
import type { DType } from "../../../problem/dtype.js";
import { elementOf } from "../../core/elements.js";
import { type Finish, mergeStatistics } from "./mergeStatistics.js";
import type { NormShape } from "./normShape.js";
import { walkSets } from "./setWalk.js";

/** As in the kernel. */
const BLOCK = 8;

export interface StatisticsOptions {
  readonly eps: number;
  /** Where running statistics are updated: how much of what was is replaced. */
  readonly momentum: number | undefined;
}

export function normStatistics(
  shape: NormShape,
  dtype: DType,
  { eps, momentum }: StatisticsOptions,
  statistics: BindingSource,
  capabilities: Capabilities,
): Steps {
  const walk = walkSets(shape, BLOCK, capabilities);
  const finishes = walk.splits === 1;
  const updates = momentum !== undefined;
  const finish: Finish = {
    constants: { HAS_RUNNING: updates },
    uniforms: { eps, momentum: [1 - (momentum ?? 0), momentum ?? 0] },
    bindings: {
      statistics,
      runningMean: updates ? named("runningMean") : "unused",
      runningVariance: updates ? named("runningVar") : "unused",
    },
  };
  const own: Finish = finishes
    ? finish
    : {
        ...finish,
        constants: { HAS_RUNNING: false },
        bindings: { statistics: "partials", runningMean: "unused", runningVariance: "unused" },
      };
  const first: Dispatch = dispatch(kernel, {
    constants: { ...walk.constants, ...own.constants, FINISHES: finishes },
    types: { Element: elementOf(dtype, capabilities) },
    uniforms: { ...own.uniforms, extents: walk.extents, counts: walk.counts, tasks: walk.tasks },
    bindings: { ...own.bindings, x: named("x") },
    workgroups: walk.workgroups,
  });
  if (finishes) return { dispatches: [first], scratchBytes: {} };
  return {
    dispatches: [first, mergeStatistics(walk, dtype, finish, capabilities)],
    scratchBytes: { partials: walk.partialBytes },
  };
}
