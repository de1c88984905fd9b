/** Direct convolution: one thread a result element. Takes every forward pass and input gradient. */
import kernel from "../../shaders/direct.wgsl";
import { dispatch, foldWorkgroups, type Solver } from "../solver.js";
import { describeGather } from "./gather.js";

const THREADS = 64;

export const direct: Solver = {
  name: "direct",
  directions: ["forward", "inputGradient"],
  configs: () => [{}],
  plan(operation, capabilities) {
    const gather = describeGather(operation);
    const { groups } = operation.problem;
    const resultElements = gather.columns * groups * gather.resultChannels;
    const step = dispatch(kernel, {
      constants: gather.constants,
      uniforms: { ...gather.uniforms, groups, resultElements },
      bindings: gather.bindings,
      workgroups: foldWorkgroups(Math.ceil(resultElements / THREADS), capabilities),
    });
    return { solver: "direct", config: {}, dispatches: [step], workspaceBytes: 0 };
  },
};
