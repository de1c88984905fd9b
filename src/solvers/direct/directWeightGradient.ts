/** Direct weight gradient: one thread a weight and split. Takes every problem. */
import kernel from "../../../shaders/direct/direct_weight_gradient.wgsl";
import type { NoKnobs } from "../../planning/knobs.js";
import { policyOf } from "../../planning/policy.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { elementTypes, wholeWorkgroups } from "../shared/constants.js";
import {
  gradientBindings,
  gradientConstants,
  gradientMatrix,
  gradientUniforms,
  twoStages,
  weightSums,
} from "../passes/reducePartials.js";
import { chooseSplits } from "../shared/splits.js";
import { planUnshared } from "./unsharedWeightGradient.js";

const THREADS = 64;

export const directWeightGradient: Solver<NoKnobs> = {
  name: "direct",
  directions: ["weightGradient"],
  knobs: {},
  configs: () => [{}],
  plan(operation, capabilities) {
    if (operation.problem.weightPositionStride > 0) return planUnshared(operation, capabilities);
    const { problem } = operation;
    const { elements } = gradientMatrix(operation);
    const depth = problem.batch * problem.outputPositions;
    const tasks = Math.ceil(elements / THREADS);
    const { busyGradientWorkgroups: busy, splitLeastKGradient: leastDepth } = policyOf(capabilities);
    const splits = chooseSplits({ tasks, busy, elements, depth, leastDepth }, capabilities);
    const sums = weightSums(operation, splits, capabilities);
    const first = dispatch(kernel, {
      constants: { ...gradientConstants(operation), RANK: problem.rank },
      types: elementTypes(operation),
      uniforms: {
        ...gradientUniforms(operation),
        outputPositions: problem.outputPositions,
        elements: splits * elements,
        depth,
        depthPerSplit: Math.ceil(depth / splits),
      },
      bindings: { ...gradientBindings(operation), partials: sums.target },
      workgroups: foldWorkgroups(Math.ceil((splits * elements) / THREADS), capabilities),
      multiplyAdds: wholeWorkgroups(elements, THREADS) * depth,
    });
    return twoStages(first, sums);
  },
};
