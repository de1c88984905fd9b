/** The input gradient of average pooling. */
import kernel from "../../../../shaders/nn/average_pool_gradient.wgsl";
import { dispatch } from "../../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import { product } from "../../../problem/geometry.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { elementOf, workgroupsFor } from "../../core/elements.js";
import { makeOperation, runOne } from "../../core/operation.js";
import { elementsOf, forEachPlace, placeIn } from "../../core/volumes.js";
import { countedRange, type Divisor, divisorOf } from "./divisor.js";
import {
  forEachTap,
  inputSpec,
  outputSpec,
  resizedWindows,
  windowConstants,
  type Windows,
  windowsSummed,
} from "./windows.js";

export const averagePoolGradient = (windows: Windows, x: TensorSpec, divisor: Divisor, dy: Tensor): Tensor =>
  runOne(averagePoolGradientOperation(windows, x, divisor), { dy });

export function averagePoolGradientOperation(windows: Windows, dx: TensorSpec, divisor: Divisor): TensorOperation {
  const { input, output, padBegin } = windows;
  const elements = elementsOf(input);
  return makeOperation({
    name: `avgPool${String(input.rank)}dGradient`,
    options: { windows, divisor },
    operands: { dy: outputSpec(windows, dx) },
    results: { dx },
    resized(to) {
      const smaller = resizedWindows(windows, to);
      return averagePoolGradientOperation(smaller, inputSpec(smaller, dx), divisor);
    },
    solvers: [
      {
        name: "windows",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants: { ...windowConstants(windows), DIVISOR: divisor.fixed ?? 0 },
              types: { Element: elementOf(dx.dtype, capabilities) },
              uniforms: {
                inputSize: input.size,
                outputSize: output.size,
                inner: input.inner,
                padBegin,
                elements,
                ...countedRange(windows, divisor),
              },
              bindings: { upstream: named("dy"), result: named("dx") },
              workgroups: workgroupsFor(elements, capabilities),
              multiplyAdds: windowsSummed(windows),
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute({ dy }) {
      const result = new Float64Array(product(dx.shape));
      forEachPlace(output, (outer, at, channel) => {
        const share = dy[placeIn(output, outer, at, channel)] / divisorOf(windows, divisor, at);
        forEachTap(windows, at, (position) => {
          result[placeIn(input, outer, position, channel)] += share;
        });
      });
      return { dx: result };
    },
  });
}
