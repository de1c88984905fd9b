/** The gradient of a softmax along an axis, and of its logarithm: their plans, and the same on the host. */
import kernel from "../../../../shaders/nn/softmax_gradient.wgsl";
import { dispatch, foldWorkgroups } from "../../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import { product } from "../../../problem/geometry.js";
import { elementOf } from "../../core/elements.js";
import { makeOperation, resizedSpec } from "../../core/operation.js";
import { lanesFor, placesOf, rowsAlong } from "../../core/rows.js";

/** From the result "y" and its gradient "dy". */
export function softmaxGradient(y: TensorSpec, axis: number, isLog: boolean): TensorOperation {
  const along = rowsAlong(y.shape, axis);
  const { rows, extent, inner } = along;
  return makeOperation({
    name: isLog ? "gradient of logSoftmax" : "gradient of softmax",
    options: { axis },
    operands: { y, dy: y },
    results: { dx: y },
    resized: (to) => softmaxGradient(resizedSpec(y, to), axis, isLog),
    solvers: [
      {
        name: "rows",
        plan(capabilities) {
          const { lanes, rowsFirst, together } = lanesFor(along);
          const groups = Math.ceil(rows / together);
          const step = dispatch(kernel, {
            constants: { LANES: lanes, ROWS_FIRST: rowsFirst, LOG: isLog },
            types: { Element: elementOf(y.dtype, capabilities) },
            uniforms: { rows, extent, inner, groups },
            bindings: { output: named("y"), gradient: named("dy"), result: named("dx") },
            workgroups: foldWorkgroups(groups, capabilities),
          });
          return { dispatches: [step], scratchBytes: {} };
        },
      },
    ],
    compute({ y: output, dy }) {
      const dx = new Float64Array(product(y.shape));
      for (let row = 0; row < rows; row++) {
        const places = placesOf(along, row);
        const sum = places.reduce((total, place) => total + (isLog ? dy[place] : output[place] * dy[place]), 0);
        for (const place of places) {
          dx[place] = isLog ? dy[place] - Math.exp(output[place]) * sum : output[place] * (dy[place] - sum);
        }
      }
      return { dx };
    },
  });
}
