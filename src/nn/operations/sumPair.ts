/** The sum of two tensors of one shape: where gradients flow together. */
import kernel from "../../../shaders/nn/sum_pair.wgsl";
import { dispatch } from "../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../planning/tensorOperation.js";
import { product } from "../../problem/geometry.js";
import type { Tensor } from "../../tensor/tensor.js";
import { elementOf, workgroupsFor } from "../core/elements.js";
import { makeOperation, runOne, specOf } from "../core/operation.js";

export const sumPair = (a: Tensor, b: Tensor): Tensor => runOne(sumPairOperation(specOf(a, "a")), { a, b });

function sumPairOperation(spec: TensorSpec): TensorOperation {
  const elements = product(spec.shape);
  return makeOperation({
    name: "sumPair",
    options: {},
    operands: { a: spec, b: spec },
    results: { y: spec },
    solvers: [
      {
        name: "elementwise",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants: {},
              types: { Element: elementOf(spec.dtype, capabilities) },
              uniforms: { elements },
              bindings: { first: named("a"), second: named("b"), result: named("y") },
              workgroups: workgroupsFor(elements, capabilities),
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute: ({ a, b }) => ({ y: Float64Array.from(a, (value, i) => value + b[i]) }),
  });
}
