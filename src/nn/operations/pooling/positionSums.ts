/** Means over all positions. */
import kernel from "../../../../shaders/nn/position_sums.wgsl";
import { dispatch } from "../../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import { elementOf } from "../../core/elements.js";
import { makeOperation } from "../../core/operation.js";
import { forEachPlace, resized, resizedVolumes, shapeOf, type Volumes } from "../../core/volumes.js";
import { positionsOf, reductionsOver, scratchBytesOf, scratchOf } from "./reduction.js";

/** The mean of each channel of a sample. */
export function positionMeansOperation(volumes: Volumes, x: TensorSpec): TensorOperation {
  const y = {
    shape: shapeOf(
      resized(
        volumes,
        volumes.spatial.map(() => 1),
      ),
    ),
    dtype: x.dtype,
  };
  const { inner, layout } = volumes;
  return makeOperation({
    name: "globalAveragePool",
    options: { layout },
    operands: { x },
    results: { y },
    reach: "everything",
    resized(to) {
      const smaller = resizedVolumes(volumes, to);
      return positionMeansOperation(smaller, { ...x, shape: shapeOf(smaller) });
    },
    solvers: [
      {
        name: "parts",
        plan(capabilities) {
          const reductions = reductionsOver(volumes, capabilities);
          const dispatches = reductions.map(({ isFirst, isLast, constants, uniforms, workgroups }, i) =>
            dispatch(kernel, {
              constants,
              types: {
                Source: isFirst ? elementOf(x.dtype, capabilities) : "f32",
                Result: isLast ? elementOf(x.dtype, capabilities) : "f32",
              },
              uniforms: { ...uniforms, divisor: isLast ? positionsOf(volumes) : 1 },
              bindings: {
                source: isFirst ? named("x") : scratchOf(i - 1),
                result: isLast ? named("y") : scratchOf(i),
              },
              workgroups,
            }),
          );
          return { dispatches, scratchBytes: scratchBytesOf(reductions, 4) };
        },
      },
    ],
    compute(values) {
      const means = new Float64Array(volumes.outer * inner);
      let i = 0;
      forEachPlace(volumes, (outer, _, channel) => {
        means[outer * inner + channel] += values.x[i++] / positionsOf(volumes);
      });
      return { y: means };
    },
  });
}
