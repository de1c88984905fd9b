/** What an optimizer's step begins with. */
import kernel from "../../../shaders/nn/begin_update.wgsl";
import { type Dispatch, dispatch, type ScratchName } from "../../planning/solver.js";
import { logarithm } from "../elementary.js";
import type { NormRule, Rule } from "./rule.js";

/** exp of this is as good as 0. */
const LEAST_LOGARITHM = -100;

const logarithmOf = (beta: number): number =>
  beta === 0 ? LEAST_LOGARITHM : Math.max(LEAST_LOGARITHM, logarithm(beta));

/** @param norm scratch memory with the norm of the gradients; undefined where nobody asks for it */
export function beginUpdate(
  { betas, clipNorm, skipNonFinite }: Rule & NormRule,
  norm: ScratchName | undefined,
): Dispatch {
  return dispatch(kernel, {
    constants: { NORM: norm !== undefined, CLIP: clipNorm !== undefined, SKIP: skipNonFinite },
    types: {},
    uniforms: { limit: clipNorm ?? 0, logBetas: betas.map(logarithmOf) },
    bindings: { rates: "tensor rates", norms: norm ?? "unused", progress: "tensor progress" },
    workgroups: [1, 1, 1],
  });
}
