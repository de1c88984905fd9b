/** Direct convolution: one thread a result element. Takes every forward pass and input gradient. */
import kernel from "../../../shaders/direct/direct.wgsl";
import { product } from "../../problem/geometry.js";
import type { NoKnobs } from "../../planning/knobs.js";
import { dispatch, foldWorkgroups, type Solver } from "../../planning/solver.js";
import { borderDispatches } from "../passes/borderInputGradient.js";
import { elementTypes, vectorResults, wholeWorkgroups } from "../shared/constants.js";
import { pixelConstants, pixelUniforms, sourceTypes } from "../shared/pixels.js";
import { describeGather, meanK } from "../shared/gather.js";

const THREADS = 64;

export const direct: Solver<NoKnobs> = {
  name: "direct",
  directions: ["forward", "inputGradient"],
  readsPixels: true,
  knobs: {},
  configs: () => [{}],
  plan(operation, capabilities) {
    const gather = describeGather(operation);
    const { batch, groups } = operation.problem;
    const resultElements = batch * groups * gather.resultChannels * product(gather.uniforms.resultSize);
    const types = elementTypes(operation);
    const results = vectorResults(types.Element, false);
    const step = dispatch(kernel, {
      constants: { ...gather.constants, ...pixelConstants(operation), ...results.constants },
      types: { ...types, ...sourceTypes(operation), ...results.types },
      uniforms: {
        ...gather.uniforms,
        ...pixelUniforms(operation),
        groups,
        resultElements,
        weightPositionStride: operation.problem.weightPositionStride,
      },
      bindings: gather.bindings,
      workgroups: foldWorkgroups(Math.ceil(resultElements / THREADS), capabilities),
      multiplyAdds: wholeWorkgroups(resultElements, THREADS) * meanK(operation, gather),
    });
    return {
      dispatches: [step, ...borderDispatches(operation, capabilities)],
      scratchBytes: {},
    };
  },
};
