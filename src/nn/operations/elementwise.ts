/** Terms element by element, of operands that are broadcast. */
import kernel from "../../../shaders/nn/elementwise.wgsl";
import { activate } from "../../problem/activationFormulas.js";
import { type ActivationSpec, NO_ACTIVATION } from "../../problem/activation.js";
import type { DType } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import type { Layout } from "../../problem/layout.js";
import { dispatch } from "../../planning/solver.js";
import { named, type TensorOperation } from "../../planning/tensorOperation.js";
import { activationConstants } from "../../solvers/shared/constants.js";
import type { Tensor } from "../../tensor/tensor.js";
import { axesOf, axisUniforms, merged, offsetsOn } from "../core/broadcast.js";
import { elementOf, workgroupsFor } from "../core/elements.js";
import { makeOperation, runOne } from "../core/operation.js";
import { operandParts, operandsOf, type ScaledTerm, specsOf, termOnHost } from "../core/operands.js";
import { termCode } from "../core/terms.js";

/** What is computed of each element. */
export interface Elementwise extends ScaledTerm {
  /** As the caller knows it. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly layout: Layout;
  /** Applied last; none when absent. Any but a prelu. */
  readonly activation?: ActivationSpec;
}

/** Runs it on tensors and numbers. */
export function runElementwise(
  given: readonly (Tensor | number)[],
  parts: Omit<Elementwise, "operands">,
  names: Readonly<Record<string, string>> = {},
): Tensor {
  const { operands, tensors } = operandsOf(given);
  return runOne(elementwise({ ...parts, operands }), tensors, names);
}

export function elementwise(parts: Elementwise): TensorOperation {
  const { name, term, operands, shape, dtype, layout, scale = 1, delta = 0, activation = NO_ACTIVATION } = parts;
  const axes = axesOf(shape, operands, layout);
  const elements = product(shape);
  const numbers = operands.map((one) => (typeof one === "number" ? one : null));
  return makeOperation({
    name,
    options: { term, numbers, layout, scale, delta, activation },
    operands: specsOf(operands),
    results: { y: { shape, dtype } },
    solvers: [
      {
        name: "elementwise",
        plan(capabilities) {
          const { count, extents, steps } = axisUniforms(merged(axes));
          const { constants, types, numbers, bindings } = operandParts(operands, capabilities);
          const step = dispatch(kernel, {
            constants: { ...constants, ...activationConstants({ activation }), TERM: termCode(term), AXES: count },
            types: { ...types, Result: elementOf(dtype, capabilities) },
            uniforms: {
              elements,
              scale,
              delta,
              numbers,
              extents,
              steps0: steps[0],
              steps1: steps[1],
              steps2: steps[2],
              steps3: steps[3],
            },
            bindings: { ...bindings, result: named("y") },
            workgroups: workgroupsFor(elements, capabilities),
          });
          return { dispatches: [step], scratchBytes: {} };
        },
      },
    ],
    compute(values) {
      const valueAt = termOnHost(parts, values);
      return {
        y: Float64Array.from({ length: elements }, (_, i) => activate(valueAt(offsetsOn(axes, i)), activation)),
      };
    },
  });
}
