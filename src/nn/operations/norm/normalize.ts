/** The pass that normalises, with what is fused into it. */
import kernel from "../../../../shaders/nn/normalize.wgsl";
import type { Capabilities } from "../../../planning/capabilities.js";
import { type BindingSource, type Dispatch, dispatch } from "../../../planning/solver.js";
import { named } from "../../../planning/tensorOperation.js";
import type { ActivationSpec } from "../../../problem/activation.js";
import type { DType } from "../../../problem/dtype.js";
import { elementOf, workgroupsFor } from "../../core/elements.js";
import {
  elementsOf,
  fusedConstants,
  type NormParts,
  type NormShape,
  shapeConstants,
  shapeFields,
  valuesType,
  widthOf,
} from "./normShape.js";

/** @param statistics where they lie; "running": they are made from the running ones */
export function normalize(
  shape: NormShape,
  dtype: DType,
  { parts, activation, eps }: { readonly parts: NormParts; readonly activation: ActivationSpec; readonly eps: number },
  statistics: BindingSource | "running",
  capabilities: Capabilities,
): Dispatch {
  const width = widthOf(shape);
  const running = statistics === "running";
  const threads = elementsOf(shape) / width;
  return dispatch(kernel, {
    constants: {
      ...shapeConstants(shape),
      ...fusedConstants(parts, activation),
      RUNNING: running,
      WIDTH: width,
      VECTORS: width === 4,
    },
    types: { Values: valuesType(elementOf(dtype, capabilities), width) },
    uniforms: { shape: shapeFields(shape), threads, eps },
    bindings: {
      x: named("x"),
      statistics: running ? "unused" : statistics,
      weight: parts.weight ? named("weight") : "unused",
      bias: parts.bias ? named("bias") : "unused",
      residual: parts.residual ? named("residual") : "unused",
      runningMean: running ? named("runningMean") : "unused",
      runningVariance: running ? named("runningVar") : "unused",
      result: named("y"),
    },
    workgroups: workgroupsFor(threads, capabilities),
  });
}
