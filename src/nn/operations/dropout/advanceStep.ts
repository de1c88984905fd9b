/** The next step of a state of dropout, in place. */
import kernel from "../../../../shaders/nn/advance_step.wgsl";
import { dispatch } from "../../../planning/solver.js";
import { named, type TensorOperation } from "../../../planning/tensorOperation.js";
import { makeOperation, positive } from "../../core/operation.js";
import { readState, STATE_VALUES, stateValues, STEP_PLACE } from "./state.js";

export function advanceStepOperation(): TensorOperation {
  return makeOperation({
    name: "advanceDropout",
    options: {},
    operands: { state: { shape: [STATE_VALUES], dtype: "float32" } },
    results: {},
    updates: ["state"],
    trialValues: { state: positive },
    solvers: [
      {
        name: "single",
        plan: () => ({
          dispatches: [
            dispatch(kernel, {
              constants: {},
              types: {},
              uniforms: { stepPlace: STEP_PLACE },
              bindings: { state: named("state") },
              workgroups: [1, 1, 1],
            }),
          ],
          scratchBytes: {},
        }),
      },
    ],
    compute({ state }) {
      const { seed, step } = readState(state);
      return { state: Float64Array.from(stateValues(seed, (step + 1) % 2 ** 32)) };
    },
  });
}
