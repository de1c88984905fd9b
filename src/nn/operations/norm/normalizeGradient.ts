/** The gradient of what was normalised. */
import kernel from "../../../../shaders/nn/normalize_gradient.wgsl";
import type { Capabilities } from "../../../planning/capabilities.js";
import { type BindingSource, type Dispatch, dispatch } from "../../../planning/solver.js";
import { named } from "../../../planning/tensorOperation.js";
import { elementOf, workgroupsFor } from "../../core/elements.js";
import { type GradientTerms, termBindings } from "./gradientTerms.js";
import { elementsOf, membersOf, shapeConstants, shapeFields, termConstants, valuesType, widthOf } from "./normShape.js";

/** @param sums those over each set; undefined where statistics do not depend on x */
export function normalizeGradient(
  terms: GradientTerms,
  sums: BindingSource | undefined,
  capabilities: Capabilities,
): Dispatch {
  const { shape, dtype, parts, activation } = terms;
  const width = widthOf(shape);
  const threads = elementsOf(shape) / width;
  return dispatch(kernel, {
    constants: {
      ...shapeConstants(shape),
      ...termConstants(parts, activation),
      EVALUATES: sums === undefined,
      WIDTH: width,
      VECTORS: width === 4,
    },
    types: { Values: valuesType(elementOf(dtype, capabilities), width) },
    uniforms: { shape: shapeFields(shape), threads, members: membersOf(shape) },
    bindings: { ...termBindings(terms, true), x: named("x"), sums: sums ?? "unused", result: named("dx") },
    workgroups: workgroupsFor(threads, capabilities),
  });
}
