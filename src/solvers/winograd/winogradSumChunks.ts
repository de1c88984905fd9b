/** The sums of a weight gradient's chunks, added in their order. */
import kernel from "../../../shaders/winograd/winograd_sum_chunks.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type Dispatch, dispatch, foldWorkgroups } from "../../planning/solver.js";
import { THREADS } from "./winogradTiling.js";

/** Adds the parts of a chunk's sums to those of earlier chunks. */
export function sumChunkDispatch(
  elements: number,
  splitK: number,
  later: boolean,
  capabilities: Capabilities,
): Dispatch {
  return dispatch(kernel, {
    constants: {},
    types: {},
    uniforms: { elements, splitK, later: Number(later) },
    bindings: { partials: "partials", sums: "winograd filters" },
    workgroups: foldWorkgroups(Math.ceil(elements / THREADS), capabilities),
  });
}
