/** The direct weight gradient's plan where output positions do not share filters: no sum to split. */
import kernel from "../../../shaders/direct/unshared_weight_gradient.wgsl";
import type { Capabilities } from "../../planning/capabilities.js";
import { product } from "../../problem/geometry.js";
import type { ConvOperation } from "../../problem/operation.js";
import { dispatch, foldWorkgroups, type Steps } from "../../planning/solver.js";
import { elementTypes, paddingConstant, tapConstants, wholeWorkgroups } from "../shared/constants.js";
import { gradientBindings, gradientUniforms } from "../passes/reducePartials.js";

const THREADS = 64;

export function planUnshared(operation: ConvOperation, capabilities: Capabilities): Steps {
  const { problem, masked } = operation;
  const elements = product(problem.weightShape);
  const step = dispatch(kernel, {
    constants: {
      ...tapConstants(problem),
      PADDING_MODE: paddingConstant(problem),
      MASKED: masked,
      HALVES: false,
      RANK: problem.rank,
    },
    types: elementTypes(operation),
    uniforms: { ...gradientUniforms(operation), batch: problem.batch, elements },
    bindings: { ...gradientBindings(operation), result: "w" },
    workgroups: foldWorkgroups(Math.ceil(elements / THREADS), capabilities),
    multiplyAdds: wholeWorkgroups(elements, THREADS) * problem.batch,
  });
  return { dispatches: [step], scratchBytes: {} };
}
