/** What the kernels of a normalisation's gradients have in common (shaders/common/norm_terms.wgsl). */
import type { BindingSource } from "../../../planning/solver.js";
import { named } from "../../../planning/tensorOperation.js";
import type { ActivationSpec } from "../../../problem/activation.js";
import type { DType } from "../../../problem/dtype.js";
import type { NormParts, NormShape } from "./normShape.js";

export interface GradientTerms {
  readonly shape: NormShape;
  readonly dtype: DType;
  readonly parts: NormParts;
  /** That of dy; "none" where dy is the gradient before it. */
  readonly activation: ActivationSpec;
  readonly outputGradient: BindingSource;
  readonly statistics: BindingSource;
}

/** @param weighted whether the kernel reads the weight even without an activation */
export function termBindings({ parts, activation, outputGradient, statistics }: GradientTerms, weighted: boolean) {
  const recomputes = activation.name !== "none";
  return {
    outputGradient,
    statistics,
    weight: parts.weight && (recomputes || weighted) ? named("weight") : "unused",
    bias: parts.bias && recomputes ? named("bias") : "unused",
    residual: parts.residual && recomputes ? named("residual") : "unused",
  } as const;
}
