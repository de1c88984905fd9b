/** The sum of a loss from those of workgroups, or its mean. */
import kernel from "../../../../shaders/nn/finish_mean.wgsl";
import { type BindingSource, type Dispatch, dispatch } from "../../../planning/solver.js";

export const finishMean = (
  pairs: number,
  isMean: boolean,
  bindings: Readonly<Record<"pairs" | "result" | "count", BindingSource>>,
): Dispatch =>
  dispatch(kernel, {
    constants: { MEAN: isMean },
    types: {},
    uniforms: { pairs },
    bindings,
    workgroups: [1, 1, 1],
  });
