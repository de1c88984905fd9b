/** The input gradient of resizing. */
import kernel from "../../../../shaders/nn/resize_gradient.wgsl";
import { dispatch } from "../../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import { elementOf, workgroupsFor } from "../../core/elements.js";
import { makeOperation } from "../../core/operation.js";
import { elementsOf, forEachPlace, placeIn, shapeOf, volumeConstants } from "../../core/volumes.js";
import { forEachCorner, resizedSampling, type Resizing, samplingUniforms } from "./resize.js";

export function resizeGradientOperation(resizing: Resizing, dx: TensorSpec): TensorOperation {
  const { input, output, linear } = resizing;
  const elements = elementsOf(input);
  return makeOperation({
    name: "interpolateGradient",
    options: { resizing },
    operands: { dy: { shape: shapeOf(output), dtype: dx.dtype } },
    results: { dx },
    resized(to) {
      const smaller = resizedSampling(resizing, to);
      return resizeGradientOperation(smaller, { ...dx, shape: shapeOf(smaller.input) });
    },
    solvers: [
      {
        name: "elementwise",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants: { ...volumeConstants(input), LINEAR: linear },
              types: { Element: elementOf(dx.dtype, capabilities) },
              uniforms: {
                inputSize: input.size,
                outputSize: output.size,
                inner: input.inner,
                elements,
                ...samplingUniforms(resizing),
              },
              bindings: { upstream: named("dy"), result: named("dx") },
              workgroups: workgroupsFor(elements, capabilities),
              // Each result has two neighbours along an axis, or one.
              multiplyAdds: 2 ** input.rank * elementsOf(output),
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute({ dy }) {
      const result = new Float64Array(elements);
      forEachPlace(output, (outer, at, channel) => {
        const value = dy[placeIn(output, outer, at, channel)];
        forEachCorner(resizing, at, (corner, weight) => {
          result[placeIn(input, outer, corner, channel)] += weight * value;
        });
      });
      return { dx: result };
    },
  });
}
