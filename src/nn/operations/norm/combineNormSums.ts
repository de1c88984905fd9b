/** Sums of cells and splits added up: for the sets, and as gradients of weight and bias. */
import kernel from "../../../../shaders/nn/combine_norm_sums.wgsl";
import type { Capabilities } from "../../../planning/capabilities.js";
import { type BindingSource, type Dispatch, dispatch, foldWorkgroups } from "../../../planning/solver.js";
import { named } from "../../../planning/tensorOperation.js";
import type { SetWalk } from "./setWalk.js";

export interface CombinedSums {
  readonly results: number;
  /** Cells from a result's first term to the next result's. */
  readonly resultStep: number;
  readonly terms: number;
  readonly termStep: number;
  readonly channels: number;
  /** Whether sums have the weight as a factor, which is not in the terms. */
  readonly weighted: boolean;
  readonly sums?: BindingSource;
  readonly weightGradient?: BindingSource | undefined;
  readonly biasGradient?: BindingSource | undefined;
}

export function combineNormSums(
  { splits, sets: cells }: Pick<SetWalk, "splits" | "sets">,
  combined: CombinedSums,
  partials: BindingSource,
  capabilities: Capabilities,
): Dispatch {
  const { results, resultStep, terms, termStep, channels, sums, weightGradient, biasGradient } = combined;
  const weighted = combined.weighted && sums !== undefined;
  return dispatch(kernel, {
    constants: {
      HAS_WEIGHT: weighted,
      WRITES_SUMS: sums !== undefined,
      WRITES_WEIGHT: weightGradient !== undefined,
      WRITES_BIAS: biasGradient !== undefined,
    },
    types: {},
    uniforms: { results, resultStep, terms, termStep, splits, cells, channels },
    bindings: {
      partials,
      weight: weighted ? named("weight") : "unused",
      sums: sums ?? "unused",
      weightGradient: weightGradient ?? "unused",
      biasGradient: biasGradient ?? "unused",
    },
    workgroups: foldWorkgroups(results, capabilities),
  });
}
