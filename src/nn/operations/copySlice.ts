/** Copies between a whole and slices of it. */
import kernel from "../../../shaders/nn/copy_slice.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { type Dispatch, dispatch, type NamedTensor } from "../../planning/solver.js";
import type { Numbers } from "../../planning/tensorOperation.js";
import type { DType } from "../../problem/dtype.js";
import { elementOf, workgroupsFor } from "../core/elements.js";

/** Where runs begin in one of the two tensors, in elements. */
export interface Runs {
  readonly step: number;
  readonly offset: number;
}

/** `count` runs of `run` neighbouring elements. */
export interface Slice {
  readonly run: number;
  readonly count: number;
  readonly source: Runs;
  readonly result: Runs;
}

/** Copies them; without a source it writes `value`. */
export function copySlice(
  { run, count, source, result }: Slice,
  bindings: { readonly source?: NamedTensor; readonly result: NamedTensor },
  dtype: DType,
  capabilities: Capabilities,
  value = 0,
): Dispatch {
  return dispatch(kernel, {
    constants: { FILL: bindings.source === undefined },
    types: { Element: elementOf(dtype, capabilities) },
    uniforms: {
      elements: run * count,
      run,
      sourceStep: source.step,
      sourceOffset: source.offset,
      resultStep: result.step,
      resultOffset: result.offset,
      value,
    },
    bindings: { source: "unused", ...bindings },
    workgroups: workgroupsFor(run * count, capabilities),
  });
}

/** The same on the host. */
export function copySliceOnHost({ run, count, source, result }: Slice, from: Numbers, to: Float64Array): void {
  for (let o = 0; o < count; o++) {
    for (let i = 0; i < run; i++) to[o * result.step + result.offset + i] = from[o * source.step + source.offset + i];
  }
}
