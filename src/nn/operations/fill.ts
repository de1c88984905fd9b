/** Tensors of one value. */
import { named, type TensorSpec } from "../../planning/tensorOperation.js";
import { product } from "../../problem/geometry.js";
import type { Tensor } from "../../tensor/tensor.js";
import { makeOperation, resizedSpec, runOne, specOf } from "../core/operation.js";
import { copySlice } from "./copySlice.js";

/** A tensor of that value in each element, of the same shape, type and engine as `x`. */
export function fullLike(x: Tensor, value: number): Tensor {
  return runOne(fillOperation(specOf(x, "x"), value), { x });
}

function fillOperation(x: TensorSpec, value: number): ReturnType<typeof makeOperation> {
  const size = product(x.shape);
  const whole = { step: size, offset: 0 };
  return makeOperation({
    name: "fullLike",
    options: { value },
    operands: { x },
    results: { y: x },
    resized: (to) => fillOperation(resizedSpec(x, to), value),
    solvers: [
      {
        name: "fill",
        plan: (capabilities) => ({
          dispatches: [
            copySlice(
              { run: size, count: 1, source: whole, result: whole },
              { result: named("y") },
              x.dtype,
              capabilities,
              value,
            ),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute: () => ({ y: new Float64Array(size).fill(value) }),
  });
}
