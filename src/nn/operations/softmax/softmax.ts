/** Softmax along an axis, and its logarithm: their plans, and the same on the host. */
import kernel from "../../../../shaders/nn/softmax.wgsl";
import { dispatch, foldWorkgroups } from "../../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import { product } from "../../../problem/geometry.js";
import { elementOf } from "../../core/elements.js";
import { makeOperation, resizedSpec } from "../../core/operation.js";
import { lanesFor, placesOf, rowsAlong } from "../../core/rows.js";

/** @param isLog whether the results are logarithms */
export function softmaxOperation(x: TensorSpec, axis: number, isLog: boolean): TensorOperation {
  const along = rowsAlong(x.shape, axis);
  const { rows, extent, inner } = along;
  return makeOperation({
    name: isLog ? "logSoftmax" : "softmax",
    options: { axis },
    operands: { x },
    results: { y: x },
    ...(axis > 1 && { reach: "everything" }),
    mixes: [axis],
    resized: (to) => softmaxOperation(resizedSpec(x, to), axis, isLog),
    solvers: [
      {
        name: "rows",
        plan(capabilities) {
          const { lanes, rowsFirst, together } = lanesFor(along);
          const groups = Math.ceil(rows / together);
          const step = dispatch(kernel, {
            constants: { LANES: lanes, ROWS_FIRST: rowsFirst, LOG: isLog },
            types: { Element: elementOf(x.dtype, capabilities) },
            uniforms: { rows, extent, inner, groups, notANumber: NaN },
            bindings: { source: named("x"), result: named("y") },
            workgroups: foldWorkgroups(groups, capabilities),
          });
          return { dispatches: [step], scratchBytes: {} };
        },
      },
    ],
    compute(values) {
      const y = new Float64Array(product(x.shape));
      for (let row = 0; row < rows; row++) {
        const places = placesOf(along, row);
        const largest = places.reduce((most, place) => Math.max(most, values.x[place]), -Infinity);
        const sum = places.reduce((total, place) => total + Math.exp(values.x[place] - largest), 0);
        for (const place of places) {
          const logarithm = values.x[place] - largest - Math.log(sum);
          y[place] = isLog ? logarithm : Math.exp(logarithm);
        }
      }
      return { y };
    },
  });
}
