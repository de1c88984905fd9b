/** Direct convolution: one thread a result element. Takes every forward pass and input gradient. */
import kernel from "../../shaders/direct.wgsl";
import { product } from "../geometry.js";
import { dispatch, foldWorkgroups, type Solver } from "../solver.js";
import { borderDispatches } from "./border.js";
import { elementTypes } from "./constants.js";
import { describeGather } from "./gather.js";

const THREADS = 64;

export const direct: Solver = {
  name: "direct",
  directions: ["forward", "inputGradient"],
  configs: () => [{}],
  plan(operation, capabilities) {
    const gather = describeGather(operation);
    const { batch, groups } = operation.problem;
    const resultElements = batch * groups * gather.resultChannels * product(gather.uniforms.resultSize);
    const step = dispatch(kernel, {
      constants: gather.constants,
      types: elementTypes(operation),
      uniforms: {
        ...gather.uniforms,
        groups,
        resultElements,
        weightPositionStride: operation.problem.weightPositionStride,
      },
      bindings: gather.bindings,
      workgroups: foldWorkgroups(Math.ceil(resultElements / THREADS), capabilities),
    });
    return {
      solver: "direct",
      config: {},
      dispatches: [step, ...borderDispatches(operation, capabilities)],
      scratchBytes: {},
    };
  },
};
