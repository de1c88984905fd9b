/** Plans the count of infinities and NaNs in a tensor, and reads it (shaders/passes/count_specials.wgsl). */
import kernel from "../../shaders/passes/count_specials.wgsl";
import type { DType } from "../problem/dtype.js";
import { fromHalfBits } from "../base/half.js";
import { dispatch, foldWorkgroups, type SolverPlan } from "../planning/solver.js";
import type { SpecialValues } from "../backend/backend.js";
import type { Capabilities } from "../planning/capabilities.js";

/** Words that a workgroup takes: THREADS * TURNS of the kernel. */
const WORDS_PER_WORKGROUP = 64 * 16;

/** Size of the counts, in 32-bit words. */
export const COUNT_WORDS = 3;

/** From the tensor bound as "x" to the counts bound as "y". */
export function planSpecials(size: number, dtype: DType, capabilities: Capabilities): SolverPlan {
  const half = dtype === "float16";
  const words = half ? Math.ceil(size / 2) : size;
  const step = dispatch(kernel, {
    constants: { HALF: half },
    types: {},
    uniforms: { elements: size, words },
    bindings: { source: "x", counts: "y" },
    workgroups: foldWorkgroups(Math.ceil(words / WORDS_PER_WORKGROUP), capabilities),
  });
  return { solver: "count-specials", config: {}, dispatches: [step], scratchBytes: {} };
}

export function readSpecials(counts: ArrayBuffer, dtype: DType): SpecialValues {
  const [infinite, nan, bits] = new Uint32Array(counts);
  const largest = dtype === "float16" ? fromHalfBits(bits) : new Float32Array(counts)[2];
  return { infinite, nan, largest };
}
