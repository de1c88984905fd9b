/** The input gradient of max pooling. */
import kernel from "../../../../shaders/nn/max_pool_gradient.wgsl";
import { dispatch } from "../../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import { product } from "../../../problem/geometry.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { elementOf, workgroupsFor } from "../../core/elements.js";
import { makeOperation, runOne } from "../../core/operation.js";
import { elementsOf, forEachPlace, placeIn } from "../../core/volumes.js";
import { packedSpec, sampleTaps, tapIn, tapsPerWord } from "./packedTaps.js";
import {
  forEachTap,
  inputSpec,
  outputSpec,
  resizedWindows,
  windowConstants,
  type Windows,
  windowsSummed,
} from "./windows.js";

/** @param taps what each window took, as the forward pass saved it */
export const maxPoolGradient = (
  windows: Windows,
  x: TensorSpec,
  { dy, taps }: { readonly dy: Tensor; readonly taps: Tensor },
): Tensor => runOne(maxPoolGradientOperation(windows, x), { dy, taps });

export function maxPoolGradientOperation(windows: Windows, dx: TensorSpec): TensorOperation {
  const { input, output, padBegin } = windows;
  const elements = elementsOf(input);
  return makeOperation({
    name: `maxPool${String(input.rank)}dGradient`,
    options: { windows },
    operands: { dy: outputSpec(windows, dx), taps: packedSpec(windows) },
    results: { dx },
    trialValues: { taps: (word) => sampleTaps(windows, word) },
    resized(to) {
      const smaller = resizedWindows(windows, to);
      return maxPoolGradientOperation(smaller, inputSpec(smaller, dx));
    },
    solvers: [
      {
        name: "windows",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants: { ...windowConstants(windows), TAPS_PER_WORD: tapsPerWord(windows) },
              types: { Element: elementOf(dx.dtype, capabilities) },
              uniforms: { inputSize: input.size, outputSize: output.size, inner: input.inner, padBegin, elements },
              bindings: { upstream: named("dy"), taps: named("taps"), result: named("dx") },
              workgroups: workgroupsFor(elements, capabilities),
              multiplyAdds: windowsSummed(windows),
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute({ dy, taps }) {
      const result = new Float64Array(product(dx.shape));
      forEachPlace(output, (outer, at, channel) => {
        const window = placeIn(output, outer, at, channel);
        const taken = tapIn(windows, taps, window);
        forEachTap(windows, at, (position, tap) => {
          if (tap === taken) result[placeIn(input, outer, position, channel)] += dy[window];
        });
      });
      return { dx: result };
    },
  });
}
