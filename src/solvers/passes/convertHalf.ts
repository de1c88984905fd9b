/** Float16 made float32, or back: for devices whose shaders have no f16, and for operations of two passes. */
import kernel from "../../../shaders/passes/convert_half.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type BindingSource, type Dispatch, dispatch, foldWorkgroups } from "../../planning/solver.js";

const THREADS = 64;

/** Converts `elements` values of `source` into `result`: to float16, or from it. */
export function convertHalf(
  elements: number,
  toHalf: boolean,
  bindings: Readonly<Record<"source" | "result", BindingSource>>,
  capabilities: Capabilities,
): Dispatch {
  const pairs = Math.ceil(elements / 2);
  return dispatch(kernel, {
    constants: { TO_HALF: toHalf },
    types: {},
    uniforms: { elements, pairs },
    bindings,
    workgroups: foldWorkgroups(Math.ceil(pairs / THREADS), capabilities),
  });
}
