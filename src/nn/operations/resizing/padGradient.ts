/** The input gradient of padding. */
import kernel from "../../../../shaders/nn/pad_gradient.wgsl";
import { dispatch } from "../../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import { PADDING_MODES } from "../../../problem/padding.js";
import { elementOf, workgroupsFor } from "../../core/elements.js";
import { makeOperation } from "../../core/operation.js";
import { elementsOf, forEachPlace, placeIn, shapeOf, volumeConstants } from "../../core/volumes.js";
import { type Padded, paddedPlace, resizedPad } from "./padded.js";

export function padGradientOperation(padded: Padded, dx: TensorSpec): TensorOperation {
  const { input, output, mode, padBegin } = padded;
  const elements = elementsOf(input);
  return makeOperation({
    name: "padGradient",
    options: { padded },
    operands: { dy: { shape: shapeOf(output), dtype: dx.dtype } },
    results: { dx },
    resized(to) {
      const smaller = resizedPad(padded, to);
      return padGradientOperation(smaller, { ...dx, shape: shapeOf(smaller.input) });
    },
    solvers: [
      {
        name: "elementwise",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants: { ...volumeConstants(input), PADDING_MODE: PADDING_MODES.indexOf(mode) },
              types: { Element: elementOf(dx.dtype, capabilities) },
              uniforms: { inputSize: input.size, outputSize: output.size, inner: input.inner, elements, padBegin },
              bindings: { upstream: named("dy"), result: named("dx") },
              workgroups: workgroupsFor(elements, capabilities),
              // Each result has one source or none.
              multiplyAdds: elementsOf(output),
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute({ dy }) {
      const result = new Float64Array(elements);
      forEachPlace(output, (outer, at, channel) => {
        const from = paddedPlace(padded, at);
        if (from) result[placeIn(input, outer, from, channel)] += dy[placeIn(output, outer, at, channel)];
      });
      return { dx: result };
    },
  });
}
