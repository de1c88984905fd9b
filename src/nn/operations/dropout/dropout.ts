/** Dropout: its plan, and the same on the host. */
import kernel from "../../../../shaders/nn/dropout.wgsl";
import { dispatch, foldWorkgroups } from "../../../planning/solver.js";
import { named, type TensorOperation, type TensorSpec } from "../../../planning/tensorOperation.js";
import { product } from "../../../problem/geometry.js";
import { elementOf } from "../../core/elements.js";
import { makeOperation, positive, resizedSpec } from "../../core/operation.js";
import { Random } from "../../random.js";
import { readState, STATE_VALUES } from "./state.js";

/** Elements of a workgroup. */
const TOGETHER = 256;
const WORD = 2 ** 32;

/** Results "y", and "used": the state that it dropped by. */
export function dropoutOperation(x: TensorSpec, p: number, draw: number): TensorOperation {
  const elements = product(x.shape);
  const threshold = Math.min(WORD - 1, Math.round(p * WORD));
  const scale = 1 / (1 - p);
  const state = { shape: [STATE_VALUES], dtype: "float32" } as const;
  return makeOperation({
    name: "dropout",
    options: { p, draw },
    operands: { x, state },
    results: { y: x, used: state },
    rearranges: true,
    resized: (to) => dropoutOperation(resizedSpec(x, to), p, draw),
    trialValues: { state: positive },
    solvers: [
      {
        name: "philox",
        plan: (capabilities) => ({
          dispatches: [
            dispatch(kernel, {
              constants: {},
              types: { Element: elementOf(x.dtype, capabilities) },
              uniforms: { elements, draw, threshold, scale },
              bindings: { source: named("x"), state: named("state"), result: named("y"), used: named("used") },
              workgroups: foldWorkgroups(Math.ceil(elements / TOGETHER), capabilities),
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute(values) {
      const { seed, step } = readState(values.state);
      const random = new Random(seed, [draw, step]);
      const y = Float64Array.from(values.x, (value) => {
        const isDropped = random.word() < threshold;
        return isDropped && !Number.isNaN(value) ? 0 : scale * value;
      });
      return { y, used: Float64Array.from(values.state) };
    },
  });
}
