/** Terms element by element, of operands that are broadcast. */
import kernel from "../../../shaders/nn/elementwise.wgsl";
import { activate } from "../../problem/activationFormulas.js";
import { type ActivationSpec, NO_ACTIVATION } from "../../problem/activation.js";
import type { DType } from "../../problem/dtype.js";
import { product } from "../../problem/geometry.js";
import type { Layout } from "../../problem/layout.js";
import { dispatch } from "../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../planning/tensorOperation.js";
import { activationConstants } from "../../solvers/shared/constants.js";
import type { Tensor } from "../../tensor/tensor.js";
import { axesOf, axisUniforms, merged, offsetsOn } from "../core/broadcast.js";
import { elementOf, workgroupsFor } from "../core/elements.js";
import { makeOperation, resizedSpec, runOne, specOf } from "../core/operation.js";
import { operandParts, operandsOf, resizedTerm, type ScaledTerm, specsOf, termOnHost } from "../core/operands.js";
import { SUM_CODE, termCode } from "../core/terms.js";

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
    resized: (to) => elementwise({ ...resizedTerm(parts, to), shape: shape.map((extent) => to(extent)) }),
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

/**
 * `a + b` of tensors of one shape, by the same kernel and unrecorded: what gradients are added by. A page that trains needs no other
 * arithmetic, and does without what broadcasts, reduces and activates.
 */
export function sumOfTwo(a: Tensor, b: Tensor): Tensor {
  return runOne(sumOperation(specOf(a, "a"), specOf(b, "b")), { a, b });
}

function sumOperation(first: TensorSpec, second: TensorSpec): TensorOperation {
  const elements = product(first.shape);
  const none = [0, 0, 0, 0];
  return makeOperation({
    name: "add",
    options: {},
    operands: { a: first, b: second },
    results: { y: first },
    resized: (to) => sumOperation(resizedSpec(first, to), resizedSpec(second, to)),
    solvers: [
      {
        name: "elementwise",
        plan(capabilities) {
          const typeOf = ({ dtype }: TensorSpec): string => elementOf(dtype, capabilities);
          const step = dispatch(kernel, {
            constants: {
              ...activationConstants({ activation: NO_ACTIVATION }),
              TERM: SUM_CODE,
              AXES: 1,
              OPERANDS: 2,
              NUMBERS: 0,
            },
            types: { First: typeOf(first), Second: typeOf(second), Third: "f32", Fourth: "f32", Result: typeOf(first) },
            uniforms: {
              elements,
              scale: 1,
              delta: 0,
              numbers: none,
              extents: [1, 1, 1],
              steps0: [1, 1, 0, 0],
              steps1: none,
              steps2: none,
              steps3: none,
            },
            bindings: {
              firstOperand: named("a"),
              secondOperand: named("b"),
              thirdOperand: "unused",
              fourthOperand: "unused",
              result: named("y"),
            },
            workgroups: workgroupsFor(elements, capabilities),
          });
          return { dispatches: [step], scratchBytes: {} };
        },
      },
    ],
    compute: (values) => ({ y: Float64Array.from(values.a, (value, i) => value + values.b[i]) }),
  });
}
