/** Maxima over all positions. */
import kernel from "../../../../shaders/nn/position_maxima.wgsl";
import { dispatch } from "../../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import { elementOf } from "../../core/elements.js";
import { makeOperation } from "../../core/operation.js";
import { forEachPlace, resized, resizedVolumes, shapeOf, type Volumes } from "../../core/volumes.js";
import { positionsOf, reductionsOver, scratchBytesOf, scratchOf } from "./reduction.js";

/** @param saves whether the number of the position that was taken is a second result */
export function positionMaximaOperation(volumes: Volumes, x: TensorSpec, saves: boolean): TensorOperation {
  const y = {
    shape: shapeOf(
      resized(
        volumes,
        volumes.spatial.map(() => 1),
      ),
    ),
    dtype: x.dtype,
  };
  const places: TensorSpec = { shape: y.shape, dtype: "float32" };
  const { inner, layout } = volumes;
  return makeOperation({
    name: "globalMaxPool",
    options: { layout, saves },
    operands: { x },
    results: saves ? { y, places } : { y },
    reach: "everything",
    resized(to) {
      const smaller = resizedVolumes(volumes, to);
      return positionMaximaOperation(smaller, { ...x, shape: shapeOf(smaller) }, saves);
    },
    solvers: [
      {
        name: "parts",
        plan(capabilities) {
          const reductions = reductionsOver(volumes, capabilities);
          const dispatches = reductions.map(({ isFirst, isLast, constants, uniforms, workgroups }, i) =>
            dispatch(kernel, {
              constants: { ...constants, LATER: !isFirst, PARTIAL: !isLast, SAVES: saves && isLast },
              types: { Element: elementOf(x.dtype, capabilities) },
              uniforms: { ...uniforms, lowest: -Infinity },
              // What is read and not used is bound to what is: a dispatch has one binding of none.
              bindings: {
                source: isFirst ? named("x") : scratchOf(i - 1),
                sourceParts: isFirst ? named("x") : scratchOf(i - 1),
                result: isLast ? named("y") : "unused",
                places: isLast ? (saves ? named("places") : "unused") : scratchOf(i),
              },
              workgroups,
            }),
          );
          return { dispatches, scratchBytes: scratchBytesOf(reductions, 8) };
        },
      },
    ],
    compute(values) {
      const rows = volumes.outer * inner;
      const largest = new Float64Array(rows).fill(-Infinity);
      const taken = new Float64Array(rows);
      let i = 0;
      forEachPlace(volumes, (outer, _, channel) => {
        const row = outer * inner + channel;
        const value = values.x[i];
        if (value > largest[row] || Number.isNaN(value)) {
          largest[row] = value;
          taken[row] = Math.floor(i / inner) % positionsOf(volumes);
        }
        i++;
      });
      return saves ? { y: largest, places: taken } : { y: largest };
    },
  });
}
