/** Direct weight gradient: one thread a weight and split. Takes every problem. */
import kernel from "../../shaders/direct_weight_gradient.wgsl";
import { dispatch, foldWorkgroups, type Solver } from "../solver.js";
import {
  chooseSplits,
  gradientBindings,
  gradientConstants,
  gradientMatrix,
  gradientUniforms,
  partialSums,
  twoStagePlan,
} from "./partials.js";

const THREADS = 64;
const LEAST_DEPTH = 64;

export const directWeightGradient: Solver = {
  name: "direct",
  directions: ["weightGradient"],
  configs: () => [{}],
  plan(operation, capabilities) {
    const { problem, bias } = operation;
    const { rows, columns, elements } = gradientMatrix(operation);
    const depth = problem.batch * problem.outputPositions;
    const tasks = Math.ceil(elements / THREADS);
    const splits = chooseSplits({ tasks, elements, depth, leastDepth: LEAST_DEPTH }, capabilities);
    const sums = partialSums({ splits, rows, columns, bias, result: "w" }, capabilities);
    const first = dispatch(kernel, {
      constants: { ...gradientConstants(operation), RANK: problem.rank },
      uniforms: {
        ...gradientUniforms(operation),
        outputPositions: problem.outputPositions,
        elements: splits * elements,
        depth,
        depthPerSplit: Math.ceil(depth / splits),
      },
      bindings: { ...gradientBindings(operation), partials: sums.target },
      workgroups: foldWorkgroups(Math.ceil((splits * elements) / THREADS), capabilities),
    });
    return twoStagePlan("direct", {}, first, sums);
  },
};
