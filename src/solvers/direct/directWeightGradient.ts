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
import { chooseSplitK } from "../shared/splits.js";
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
    const k = problem.batch * problem.outputPositions;
    const tasks = Math.ceil(elements / THREADS);
    const { busyGradientWorkgroups: busy, splitLeastKGradient: leastK } = policyOf(capabilities);
    const splitK = chooseSplitK({ tasks, busy, elements, k, leastK }, capabilities);
    const sums = weightSums(operation, splitK, capabilities);
    const first = dispatch(kernel, {
      constants: { ...gradientConstants(operation), RANK: problem.rank },
      types: elementTypes(operation),
      uniforms: {
        ...gradientUniforms(operation),
        outputPositions: problem.outputPositions,
        elements: splitK * elements,
        k,
        kPerSplit: Math.ceil(k / splitK),
      },
      bindings: { ...gradientBindings(operation), partials: sums.target },
      workgroups: foldWorkgroups(Math.ceil((splitK * elements) / THREADS), capabilities),
      multiplyAdds: wholeWorkgroups(elements, THREADS) * k,
    });
    return twoStages(first, sums);
  },
};
