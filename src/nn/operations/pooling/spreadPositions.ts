/** Values of rows, channels of a sample, spread over their positions: gradients of reductions. */
import kernel from "../../../../shaders/nn/spread_positions.wgsl";
import { dispatch } from "../../../planning/solver.js";
import { named, type TensorSpec } from "../../../planning/tensorOperation.js";
import type { Tensor } from "../../../tensor/tensor.js";
import { elementOf, workgroupsFor } from "../../core/elements.js";
import { makeOperation, runOne, specOf } from "../../core/operation.js";
import { elementsOf, forEachPlace, resizedVolumes, shapeOf, type Volumes } from "../../core/volumes.js";
import { positionsOf } from "./reduction.js";

/** Equal shares at all positions. */
export const spreadEvenly = (volumes: Volumes, dx: TensorSpec, dy: Tensor): Tensor =>
  runOne(spreadOperation(volumes, dx, specOf(dy, "dy"), positionsOf(volumes)), { dy });

/** All at the position that `places` has for a row, none elsewhere. */
export const spreadAt = (volumes: Volumes, dx: TensorSpec, dy: Tensor, places: Tensor): Tensor =>
  runOne(spreadOperation(volumes, dx, specOf(dy, "dy"), 1, specOf(places, "places")), { dy, places });

function spreadOperation(
  volumes: Volumes,
  dx: TensorSpec,
  dy: TensorSpec,
  divisor: number,
  places?: TensorSpec,
): ReturnType<typeof makeOperation> {
  const { inner, layout } = volumes;
  const positions = positionsOf(volumes);
  const elements = elementsOf(volumes);
  return makeOperation({
    name: "spreadPositions",
    options: { layout, divisor },
    operands: places ? { dy, places } : { dy },
    results: { dx },
    resized(to) {
      const smaller = resizedVolumes(volumes, to);
      const row = { shape: [smaller.batch, smaller.channels] };
      const its = places && { ...places, ...row };
      const share = divisor === positions ? positionsOf(smaller) : divisor;
      return spreadOperation(smaller, { ...dx, shape: shapeOf(smaller) }, { ...dy, ...row }, share, its);
    },
    trialValues: { places: (row) => row % positions },
    solvers: [
      {
        name: "elementwise",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants: { ONE_PLACE: places !== undefined },
              types: { Element: elementOf(dx.dtype, capabilities) },
              uniforms: { elements, positions, inner, divisor },
              bindings: { source: named("dy"), places: places ? named("places") : "unused", result: named("dx") },
              workgroups: workgroupsFor(elements, capabilities),
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute(values) {
      const result = new Float64Array(elements);
      let i = 0;
      forEachPlace(volumes, (outer, _, channel) => {
        const row = outer * inner + channel;
        const isThere = !places || values.places[row] === Math.floor(i / inner) % positions;
        result[i++] = isThere ? values.dy[row] / divisor : 0;
      });
      return { dx: result };
    },
  });
}
